"""Thousands of broken bundles and images: an error of ours or a right answer, never a crash."""

import json
import random

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lwam_mm.runtime import Bundle, BundleError, ImageError, Manifest, read_bundle, read_image

QUIET = dict(deadline=None, suppress_health_check=list(HealthCheck))

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["..", "/", "tensor", "frame", "pad", "stretch", "int8", "model.onnx"]),
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def paths_of(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        children = enumerate(value)
    for key, child in children:
        yield from paths_of(child, (*path, key))


def replaced(value, path, new):
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


@pytest.fixture
def valid(make_bundle):
    return json.loads((make_bundle() / "bundle.json").read_text())


def attempt(expected, function, *arguments):
    """Return the function's value and None, or None and the message of the expected error."""
    try:
        return function(*arguments), None
    except expected as error:
        return None, str(error)


def check(text: str) -> None:
    manifest, refusal = attempt(BundleError, Manifest.from_json, text, "fuzzed")
    if refusal is not None:
        assert refusal.startswith("fuzzed")
        return
    # Whatever is accepted keeps the rules and survives the round trip.
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert len(manifest.classes) == len(manifest.palette)
    assert manifest.model in manifest.files


@settings(max_examples=3000, **QUIET)
@given(st.data())
def test_a_manifest_with_one_value_of_any_kind(valid, data):
    path = data.draw(st.sampled_from(list(paths_of(valid))))
    check(json.dumps(replaced(valid, path, data.draw(values))))


@settings(max_examples=1500, **QUIET)
@given(st.text() | values.map(json.dumps))
def test_a_manifest_of_any_text(text):
    check(text)


@settings(max_examples=2500, **QUIET)
@given(st.integers(0, 2**32))
def test_a_manifest_with_spoilt_bytes(valid, seed):
    check(spoilt(json.dumps(valid, indent=1).encode(), seed).decode("utf-8", "replace"))


@settings(max_examples=500, **QUIET)
@given(st.integers(0, 2**32), st.sampled_from(["bundle.json", "model.onnx"]))
def test_a_bundle_with_a_spoilt_file(make_bundle, tmp_path_factory, seed, name):
    root = make_bundle(name=f"b{random.Random(seed).random()}-{name}")
    file = root / name
    before = file.read_bytes()
    file.write_bytes(spoilt(before, seed))
    bundle, refusal = attempt(BundleError, read_bundle, root)
    if refusal is not None:
        assert str(root) in refusal
        return
    assert isinstance(bundle, Bundle)
    assert name == "bundle.json" or file.read_bytes() == before


def pictures() -> dict[str, bytes]:
    grey = cv2.resize(np.random.default_rng(0).integers(0, 256, (6, 8), dtype=np.uint8), (40, 30))
    colour = cv2.merge([grey, 255 - grey, grey])
    alpha = cv2.merge([grey, 255 - grey, grey, grey])
    kinds = {
        ".png": [grey, colour, alpha, grey.astype(np.uint16) * 257],
        ".jpg": [grey, colour],
        ".tif": [grey, colour, grey.astype(np.uint16) * 257],
        ".bmp": [grey, colour],
        ".webp": [colour],
        ".pgm": [grey],
        ".ppm": [colour],
    }
    return {
        f"{index}{suffix}": cv2.imencode(suffix, image)[1].tobytes()
        for suffix, images in kinds.items()
        for index, image in enumerate(images)
    }


PICTURES = pictures()


@settings(max_examples=4000, **QUIET)
@given(st.sampled_from(sorted(PICTURES)), st.integers(0, 2**32))
def test_an_image_with_spoilt_bytes(tmp_path, name, seed):
    check_image(tmp_path / name, spoilt(PICTURES[name], seed))


@settings(max_examples=1000, **QUIET)
@given(st.sampled_from([data[:12] for data in PICTURES.values()] + [b""]), st.binary(max_size=300))
def test_an_image_of_any_bytes(tmp_path, head, tail):
    check_image(tmp_path / "any.png", head + tail)


def check_image(path, data: bytes) -> None:
    path.write_bytes(data)
    image, refusal = attempt(ImageError, read_image, path)
    if refusal is not None:
        assert str(path) in refusal
        return
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.size > 0


def spoilt(data: bytes, seed: int) -> bytes:
    """Flip, cut, double, drop or overwrite some of it; now and then nothing at all."""
    rng = random.Random(seed)
    data = bytearray(data)
    for _ in range(rng.choice([0, 1, 1, 2, 5, 20])):
        if not data:
            break
        at = rng.randrange(len(data))
        length = rng.choice([1, 1, 2, 4, 16])
        match rng.randrange(6):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                del data[at:]
            case 2:
                data[at:at] = data[at : at + length]
            case 3:
                del data[at : at + length]
            case 4:
                data[at : at + length] = rng.randbytes(length)
            case 5:
                data[at : at + length] = rng.choice([b"\0", b"\xff"]) * length
    return bytes(data)
