import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lwam_mm.datasets.decode import (
    check_mask_values,
    check_same_size,
    decode_image,
    decode_mask,
    read_bytes,
)
from lwam_mm.datasets.problem import DatasetError
from lwam_mm.runtime.images import to_8bit

NAME = Path("images/train/layer_0007.png")
RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (20, 30, 3), np.uint8)


def encode(pixels: np.ndarray | Image.Image, suffix: str = "PNG", **options) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, suffix, **options)
    return buffer.getvalue()


def encode_cv2(pixels: np.ndarray, suffix: str) -> bytes:
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return data.tobytes()


def fails(data: bytes, mask: bool = False) -> tuple[str, str]:
    with pytest.raises(DatasetError) as caught:
        decode_mask(data, NAME, 6) if mask else decode_image(data, NAME)
    text = str(caught.value)
    assert text.startswith(f"{NAME}: ")
    assert "Remedy: " in text
    (problem,) = caught.value.problems
    return problem.kind, text


@pytest.mark.parametrize("suffix", ["PNG", "BMP", "TIFF"])
def test_colour_comes_as_blue_green_red(suffix):
    image = decode_image(encode(COLOUR, suffix), NAME)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, COLOUR[..., ::-1])


def test_jpeg_comes_as_opencv_reads_it():
    data = encode(cv2.GaussianBlur(COLOUR, (0, 0), 2), "JPEG", quality=80)
    np.testing.assert_array_equal(
        decode_image(data, NAME), cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    )


def test_grey_gets_three_equal_channels():
    image = decode_image(encode(COLOUR[..., 0]), NAME)
    assert image.shape == (20, 30, 3)
    for channel in range(3):
        np.testing.assert_array_equal(image[..., channel], COLOUR[..., 0])


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_dropped(channels):
    with_alpha = np.dstack([COLOUR, COLOUR[..., 0]])[..., -channels:]
    wanted = with_alpha[..., :3][..., ::-1] if channels == 4 else with_alpha[..., [0, 0, 0]]
    np.testing.assert_array_equal(decode_image(encode(with_alpha), NAME), wanted)


def test_palette_image_shows_its_colours():
    palette_image = Image.fromarray(COLOUR // 128 * 255).convert("P", palette=Image.Palette.WEB)
    np.testing.assert_array_equal(
        decode_image(encode(palette_image), NAME),
        np.asarray(palette_image.convert("RGB"))[..., ::-1],
    )


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_divided_by_257_and_rounded(suffix, channels):
    deep = np.random.default_rng(1).integers(0, 65536, (20, 30, channels), np.uint16)
    deep[0, :4] = np.array([0, 128, 129, 65535])[:, None]
    image = decode_image(encode_cv2(deep.squeeze(), suffix), NAME)
    wanted = np.round(deep / 257).astype(np.uint8)[..., :3]
    np.testing.assert_array_equal(image, np.broadcast_to(wanted, (20, 30, 3)))
    assert image[0, :4, 0].tolist() == [0, 0, 1, 255]


@pytest.mark.filterwarnings("ignore:Truncated File Read")
@pytest.mark.parametrize("suffix", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_truncated_file(suffix, share):
    data = encode(COLOUR, suffix)
    kind, _ = fails(data[: int(share * len(data))])
    assert kind == "unreadable"


@pytest.mark.parametrize("suffix", ["PNG", "JPEG"])
@pytest.mark.parametrize("missing", [1, 4, 12])
def test_file_without_its_very_end(suffix, missing):
    kind, _ = fails(encode(COLOUR, suffix)[:-missing])
    assert kind == "unreadable"


@pytest.mark.parametrize("suffix", ["PNG", "JPEG"])
def test_file_filled_up_with_zeros(suffix):
    data = encode(COLOUR, suffix)
    half = len(data) // 2
    kind, _ = fails(data[:half] + bytes(len(data) - half))
    assert kind == "unreadable"


def test_jpeg_with_a_preview_is_judged_by_its_own_end():
    exif = Image.Exif()
    exif[0x9286] = encode(COLOUR[:4, :4], "JPEG")
    data = encode(RNG.integers(0, 256, (400, 400, 3), np.uint8), "JPEG", exif=exif.tobytes())
    assert data.count(b"\xff\xd9") == 2
    assert decode_image(data + b"padding of a camera", NAME).shape == (400, 400, 3)
    _, text = fails(data[:-5000] + bytes(5000))
    assert "is a truncated JPEG (its end marker is missing)" in text


def test_no_image_at_all():
    kind, text = fails(b"layer,label\n7,3\n")
    assert kind == "unreadable"
    assert "not in an image format" in text


def test_pages():
    pages = [Image.fromarray(COLOUR), Image.fromarray(COLOUR)]
    _, text = fails(encode(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert "has 2 pages" in text


def test_turned_by_exif():
    exif = Image.Exif()
    exif[0x0112] = 6
    kind, text = fails(encode(COLOUR, "JPEG", exif=exif))
    assert kind == "image mode"
    assert "EXIF orientation 6" in text


def test_floating_point_image():
    kind, text = fails(encode(COLOUR[..., 0].astype(np.float32), "TIFF"))
    assert kind == "image mode"
    assert "floating-point samples" in text


def test_read_bytes(tmp_path):
    with pytest.raises(DatasetError, match=r"gone\.png: does not exist"):
        read_bytes(tmp_path / "gone.png")
    empty = tmp_path / "empty.png"
    empty.touch()
    with pytest.raises(DatasetError, match=r"empty\.png: is empty \(0 bytes\)"):
        read_bytes(empty)
    empty.write_bytes(b"x")
    assert read_bytes(empty) == b"x"


INDICES = (np.arange(600) % 6).astype(np.uint8).reshape(20, 30)


def test_mask_keeps_classes_and_ignore():
    wanted = INDICES.copy()
    wanted[3, 4] = 255
    mask = decode_mask(encode(wanted), NAME, 6)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, wanted)


def test_sixteen_bit_mask_keeps_its_indices():
    mask = decode_mask(encode_cv2(INDICES.astype(np.uint16), ".png"), NAME, 6)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, INDICES)


def test_mask_value_outside_the_classes():
    wrong = INDICES.copy()
    wrong[0, 0] = 7
    wrong[1, :3] = 200
    kind, text = fails(encode(wrong), mask=True)
    assert kind == "mask value"
    assert "mask value 7 (1 pixels), 200 (3 pixels); allowed are 0..5 and 255 (ignore)" in text


def test_sixteen_bit_mask_value_does_not_wrap_round():
    wrong = INDICES.astype(np.uint16)
    wrong[0, 0] = 256
    wrong[0, 1] = 255
    _, text = fails(encode_cv2(wrong, ".png"), mask=True)
    assert "mask value 256 (1 pixels);" in text


def test_many_wrong_values_are_cut_short():
    with pytest.raises(DatasetError, match=r"and 245 more values; allowed are 0\.\.4"):
        check_mask_values(np.arange(256).astype(np.uint8)[None], NAME, 5)


def palette_mask() -> Image.Image:
    image = Image.fromarray(INDICES).copy()
    image.putpalette([0, 0, 0, 255, 0, 255] + [9] * 762)
    return image


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (encode(palette_mask()), "is a palette image"),
        (encode(COLOUR), "is a colour image (RGB)"),
        (encode(np.dstack([COLOUR, COLOUR[..., 0]])), "is a colour image (RGB with alpha)"),
        (encode(COLOUR[..., :2]), "is a colour image (grey with alpha)"),
        (encode(INDICES.astype(bool)), "has 1-bit pixels"),
        (encode(INDICES, "JPEG"), "is a JPEG"),
        (encode(INDICES.astype(np.float32), "TIFF"), "floating-point samples"),
    ],
    ids=["palette", "rgb", "rgba", "grey with alpha", "one bit", "jpeg", "float"],
)
def test_mask_of_another_kind(mask, told):
    kind, text = fails(mask, mask=True)
    assert kind == "mask mode"
    assert told in text


def test_remedy_for_a_palette_mask_works(tmp_path):
    mask = tmp_path / "mask.png"
    palette_mask().save(mask)
    with pytest.raises(DatasetError, match="save them plainly: ") as caught:
        decode_mask(mask.read_bytes(), mask, 6)
    remedy = str(caught.value).partition("plainly: ")[2].rstrip(".")
    import numpy

    exec(remedy, {"Image": Image, "numpy": numpy, "mask": mask})
    np.testing.assert_array_equal(decode_mask(mask.read_bytes(), mask, 6), INDICES)


def test_packed_bits_are_not_taken_for_indices():
    # Readers stretch a 4-bit grey PNG to 0..255, so that index 1 comes as 17.
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", 4, 1, 4, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    data += chunk(b"IDAT", zlib.compress(b"\0\x01\x23")) + chunk(b"IEND", b"")
    kind, text = fails(data, mask=True)
    assert kind == "mask mode"
    assert "has 4-bit pixels" in text


def test_truncated_mask():
    data = encode(RNG.integers(0, 6, (40, 40), np.uint8))
    assert fails(data[: len(data) // 2], mask=True)[0] == "unreadable"


def test_sizes():
    check_same_size((20, 30), (20, 30), Path("i.png"), Path("m.png"))
    with pytest.raises(DatasetError) as caught:
        check_same_size((20, 30), (30, 20), Path("i.png"), Path("m.png"))
    assert str(caught.value).startswith(
        "m.png: is 20 x 30 px (width x height), but its image i.png is 30 x 20 px."
    )


def test_sixteen_bit_rule_is_the_runtimes():
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(
        decode_image(encode_cv2(every, ".png"), NAME)[..., 0], to_8bit(every)
    )
