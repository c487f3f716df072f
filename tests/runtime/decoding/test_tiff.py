import io

import numpy as np
import pytest
from both_sides import bgr, pillow, read_both, refusal
from make_tiff import make_tiff
from PIL import Image

from lwam_mm.runtime.decoding import read_header

LAYOUTS = [
    dict(),
    dict(order=">"),
    dict(big=True),
    dict(big=True, order=">"),
    dict(rows=7),
    dict(rows=7, deflate=True),
    dict(tile=(64, 64)),
]


def expected(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint16:
        pixels = np.rint(pixels / 257).astype(np.uint8)
    return bgr(pixels)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bits", [8, 16])
def test_samples_are_read_as_they_are_stored(path, noise, deep, layout, channels, bits):
    pixels = (noise if bits == 8 else deep)[..., :channels].squeeze()
    np.testing.assert_array_equal(read_both(path, make_tiff(pixels, **layout)), expected(pixels))


@pytest.mark.parametrize("channels", [3, 4])
def test_planes_of_8_bits(path, noise, channels):
    pixels = noise[..., :channels]
    np.testing.assert_array_equal(read_both(path, make_tiff(pixels, planar=True)), bgr(pixels))


@pytest.mark.parametrize("kind", [None, 0, 2])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_that_was_not_multiplied_is_dropped(path, noise, channels, kind):
    pixels = noise[..., :channels]
    data = make_tiff(pixels, {338: kind})
    assert read_header(data).alpha
    np.testing.assert_array_equal(read_both(path, data), bgr(pixels))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [2, 4])
def test_premultiplied_alpha_is_refused(path, noise, deep, channels, bits):
    pixels = (noise if bits == 8 else deep)[..., :channels]
    assert "has premultiplied alpha" in refusal(path, make_tiff(pixels, {338: 1}))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
def test_where_0_is_white_it_is_inverted(path, noise, deep, bits, order):
    pixels = (noise if bits == 8 else deep)[..., 0]
    data = make_tiff(pixels, {262: 0}, order=order)
    np.testing.assert_array_equal(
        read_both(path, data), expected(np.iinfo(pixels.dtype).max - pixels)
    )


@pytest.mark.parametrize("orientation", range(9))
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("channels", [1, 4])
def test_the_orientation_is_applied_once(path, noise, orientation, big, channels):
    pixels = noise[..., :channels].squeeze()
    data = make_tiff(pixels, {274: orientation}, big=big)
    # Pillow's own rules, which are EXIF's.
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
    upright = Image.fromarray(pixels[..., :3] if channels > 1 else pixels)
    if orientation in turns:
        upright = upright.transpose(Image.Transpose(turns[orientation]))
    np.testing.assert_array_equal(read_both(path, data), bgr(np.asarray(upright)))


def test_an_unknown_orientation_is_refused(path, noise):
    assert "orientation 9" in refusal(path, make_tiff(noise[..., 0], {274: 9}))


def test_an_orientation_in_xmp_counts_where_there_is_no_tag(path, noise):
    xmp = list(b'<rdf tiff:Orientation="3"/>')
    data = make_tiff(noise[..., 0], {700: xmp})
    np.testing.assert_array_equal(read_both(path, data), bgr(noise[::-1, ::-1, 0]))
    data = make_tiff(noise[..., 0], {700: xmp, 274: 1})
    np.testing.assert_array_equal(read_both(path, data), bgr(noise[..., 0]))


@pytest.mark.parametrize(
    ("dtype", "told"),
    [
        (np.int8, "signed samples"),
        (np.int16, "signed samples"),
        (np.float32, "floating-point samples"),
        (np.float16, "floating-point samples"),
        (np.uint32, "32 bits"),
    ],
)
def test_other_samples_are_refused(path, noise, dtype, told):
    assert told in refusal(path, make_tiff(noise[..., 0].astype(dtype)))


@pytest.mark.parametrize("bits", [1, 2, 4, 10, 12, 14])
def test_packed_samples_are_refused(path, noise, bits):
    packed = noise[:, : -(-30 * bits // 8), 0]
    data = make_tiff(noise[..., 0].astype(np.uint16), {258: bits})
    assert f"{bits} bits" in refusal(path, data)
    assert f"{bits} bits" in refusal(path, make_tiff(packed, {256: 30, 258: bits}))


@pytest.mark.parametrize(
    ("channels", "tags", "told"),
    [
        (1, {262: 3}, "3 (palette)"),
        (1, {262: 4}, "4 (transparency mask)"),
        (4, {262: 5, 338: None}, "5 (CMYK)"),
        (3, {262: 6}, "6 (YCbCr)"),
        (3, {262: 8}, "8 (Lab)"),
        (1, {262: 32803}, "32803 (raw CFA)"),
        (1, {262: 9999}, "9999 (unknown)"),
        (1, {262: None}, "tag 262 is missing"),
        (1, {266: 2}, "bit order 2"),
        (3, {258: [8, 8, 16]}, "8 or 16 bits a sample"),
        (3, {259: 34712}, "compression 34712"),
        (2, {262: 2, 338: None}, "2 channels"),
        (4, {338: [0, 0]}, "4 channels"),
        (1, {277: 5}, "5 channels"),
    ],
)
def test_what_is_not_understood_is_refused(path, noise, channels, tags, told):
    assert told in refusal(path, make_tiff(noise[..., :channels], tags))


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_planes_of_16_bits_are_refused_for_opencv_reads_them_wrong(path, deep, channels):
    assert "in planes" in refusal(path, make_tiff(deep[..., :channels], planar=True))


def test_grey_with_alpha_of_16_bits_is_refused_for_opencv_reads_8(path, deep):
    assert "2 channels of 16 bits" in refusal(path, make_tiff(deep[..., :2]))


@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("kind", ["grey", "RGB", "grey of 16 bits"])
def test_lossless_compressions(path, smooth, kind, compression, predictor):
    pixels = smooth if kind == "RGB" else smooth[..., 0]
    if "16" in kind:
        pixels = pixels.astype(np.uint16) * 257
    data = pillow(pixels, "TIFF", compression=compression, tiffinfo={317: predictor})
    assert not read_header(data).lossy
    np.testing.assert_array_equal(read_both(path, data), expected(pixels))


@pytest.mark.parametrize("mode", ["L", "RGB", "YCbCr"])
def test_jpeg_inside(path, smooth, mode):
    image = Image.fromarray(smooth).convert(mode)
    data = pillow(image, "TIFF", compression="jpeg")
    assert read_header(data).lossy
    wanted = bgr(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    difference = np.abs(read_both(path, data).astype(int) - wanted)
    assert difference.max() <= 3


def test_compressions_that_opencv_lacks_are_refused(path, smooth):
    assert "compression 50000" in refusal(path, pillow(smooth, "TIFF", compression="zstd"))


@pytest.mark.parametrize("count", [2, 3])
def test_pages(path, smooth, count):
    page = Image.fromarray(smooth)
    data = pillow(page, "TIFF", save_all=True, append_images=[page] * (count - 1))
    assert f"has {count} pages: split it" in refusal(path, data)


@pytest.mark.parametrize("layout", LAYOUTS[::2], ids=str)
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_file_that_breaks_off(path, smooth, layout, zeros, share):
    data = make_tiff(smooth, **layout)
    end = int(share * len(data))
    assert "is a truncated TIFF" in refusal(path, data[:end] + bytes(zeros * (len(data) - end)))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_compressed_data_that_breaks_off_behind_a_whole_header(path, smooth, compression, share):
    data = bytearray(pillow(smooth, "TIFF", compression=compression))
    tags = Image.open(io.BytesIO(data)).tag_v2
    start, length = tags[273][0], sum(tags[279])
    end = start + int(share * length)
    data[end : start + length] = bytes(start + length - end)
    assert "damaged" in refusal(path, bytes(data))


def test_a_deflated_part_with_a_hole(path, smooth):
    data = bytearray(make_tiff(smooth, deflate=True))
    data[5000:5100] = bytes(100)
    assert "part 1 of 1 is damaged" in refusal(path, bytes(data))


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({273: 10**6}, "part 1 of 1 is incomplete"),
        ({279: 599}, "part 1 of 1 is incomplete"),
        ({279: 0}, "part 1 of 1 is incomplete"),
        ({279: 10**6}, "part 1 of 1 is incomplete"),
        ({279: None}, "does not say where"),
        ({278: 10}, "1 of 2 parts"),
        ({278: 0}, "its header is damaged"),
        ({257: 21, 278: 21}, "part 1 of 1 is incomplete"),
        ({256: 31}, "part 1 of 1 is incomplete"),
    ],
)
def test_parts_outside_the_file(path, noise, tags, told):
    text = refusal(path, make_tiff(noise[..., 0], tags))
    assert "is a truncated TIFF" in text
    assert told in text
