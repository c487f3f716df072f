"""PNM: PBM, PGM and PPM, as text or binary, headers and pixels."""

import re

import numpy as np

from lwam_mm.runtime.decoding.header import Header, RefusedImageError, truncated, unsupported

SIGNATURES = tuple(b"P%d" % kind for kind in range(1, 8))
_GAP = rb"(?:\s|#[^\r\n]*)+"
_BITMAP = re.compile(rb"P[14]" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)\s")
_PIXMAP = re.compile(rb"P[2356]" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)\s")
_PIXELS = "its pixels are not as many as its header says"


def read_pnm(data: bytes) -> Header:
    """Read a PNM's header."""
    if data[1:2] == b"7":
        raise unsupported("is a PAM (P7), which is not read")
    found = (_BITMAP if data[1:2] in b"14" else _PIXMAP).match(data)
    if found is None:
        raise truncated("PNM", "its header is damaged")
    width, height, maximum = (*map(int, found.groups()), 1)[:3]
    if not 1 <= maximum <= 65535:
        raise unsupported(f"has the largest value {maximum}", "give one of 1..65535 in its header")
    return Header(
        "PNM",
        width,
        height,
        1 if data[1:2] in b"14" else 8 if maximum < 256 else 16,
        "RGB" if data[1:2] in b"36" else "grey",
        maximum=maximum,
        start=found.end(),
        uncompressed=True,
    )


def pnm_pixels(data: bytes, header: Header) -> np.ndarray:
    """Return the samples as they are stored, (H, W) or (H, W, 3), BGR; in a PBM 1 is white."""
    values: np.ndarray
    shape = (header.height, header.width, 3 if header.colour == "RGB" else 1)
    if data[1:2] in b"123":
        body = re.sub(rb"#[^\r\n]*", b"", data[header.start :])
        tokens = re.findall(rb"[01]" if header.bits == 1 else rb"(?<!\S)\d{1,5}(?!\S)", body)
        values = np.array([int(token) for token in tokens], np.int64)
        if values.size != np.prod(shape):
            raise truncated("PNM", _PIXELS)
    else:
        row = -(-header.width // 8) if header.bits == 1 else header.width * shape[2]
        kind = np.dtype(">u2") if header.bits == 16 else np.dtype(np.uint8)
        needed = row * kind.itemsize * header.height
        if len(data) - header.start < needed:
            raise truncated("PNM", _PIXELS)
        if data[header.start + needed :].strip():
            raise unsupported("goes on after its picture", "split it into files of one picture")
        values = np.frombuffer(data, kind, row * header.height, header.start)
        if header.bits == 1:
            values = np.unpackbits(values.reshape(header.height, row), axis=1)[:, : header.width]
    if (top := int(values.max(initial=0))) > (header.maximum or 0):
        raise RefusedImageError(f"has a value of {top}, above its own maximum {header.maximum}")
    pixels = values.reshape(shape).astype(np.uint16 if header.bits == 16 else np.uint8)
    if header.bits == 1:
        pixels = 1 - pixels
    return pixels[:, :, ::-1] if shape[2] == 3 else pixels[:, :, 0]
