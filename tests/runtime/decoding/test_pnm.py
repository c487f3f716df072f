import numpy as np
import pytest
from both_sides import bgr, read_both, refusal

from lwam_mm.datasets.decode import decode_mask
from lwam_mm.runtime.decoding import read_header, read_pixels


def encode(kind: int, values: np.ndarray, maximum: int, comment: bytes = b"") -> bytes:
    height, width = values.shape[:2]
    head = b"P%d%s\n%d %d\n%d\n" % (kind, comment, width, height, maximum)
    if kind <= 3:
        return head + b" ".join(b"%d" % value for value in values.ravel()) + b"\n"
    return head + values.astype(">u2" if maximum > 255 else np.uint8).tobytes()


@pytest.mark.parametrize("kind", [2, 3, 5, 6])
@pytest.mark.parametrize("maximum", [1, 5, 127, 255, 256, 1023, 4095, 65535])
@pytest.mark.parametrize("comment", [b"", b"\n# a camera\r\n#4095 8\n"])
def test_values_are_scaled_by_the_files_own_maximum(path, kind, maximum, comment):
    shape = (7, 9, 3) if kind in (3, 6) else (7, 9)
    values = np.random.default_rng(0).integers(0, maximum + 1, shape)
    values[0, 0], values[0, 1] = 0, maximum
    data = encode(kind, values, maximum, comment)
    wanted = np.rint(values * 255 / maximum).astype(np.uint8)
    np.testing.assert_array_equal(read_both(path, data), bgr(wanted))
    # A white level is for files that do not declare their maximum.
    np.testing.assert_array_equal(read_both(path, data, white_level=500), bgr(wanted))


def test_bitmaps_have_1_for_black(path):
    wanted = bgr(np.array([[0, 255, 0], [255, 255, 0]], np.uint8))
    np.testing.assert_array_equal(read_both(path, b"P1\n3 2\n101\n0 0 1\n"), wanted)
    np.testing.assert_array_equal(read_both(path, b"P4\n3 2\n\xa0\x3f"), wanted)


def test_a_mask_is_not_scaled(path):
    data = encode(5, np.arange(6).reshape(2, 3), 5)
    np.testing.assert_array_equal(decode_mask(data, path, 6), np.arange(6).reshape(2, 3))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"P5 3 2 255 12345", "is a truncated PNM"),
        (b"P6 3 2 255 12345678901234567", "is a truncated PNM"),
        (b"P5 3 2 256 12345678901", "is a truncated PNM"),
        (b"P4 9 2\n123", "is a truncated PNM"),
        (b"P2 3 2 255\n1 2 3 4 5", "is a truncated PNM"),
        (b"P2 3 2 255\n1 2 3 4 5 x", "is a truncated PNM"),
        (b"P2 3 2 255\n1 2 3 4 5 99999999999999999999", "is a truncated PNM"),
        (b"P5 3 2", "is a truncated PNM"),
        (b"P5 3", "is a truncated PNM"),
        (b"P", "not in an image format"),
        (b"P5 0 2 255 ", "has 0 x 2 pixels"),
        (b"P5 3 1 7 \x01\x02\x08", "has a value of 8, above its own maximum 7"),
        (b"P2 3 1 7 1 2 -8", "is a truncated PNM"),
        (b"P5 3 1 0 123", "largest value 0"),
        (b"P5 3 1 65536 123456", "largest value 65536"),
        (b"P5 1 1 255 1P5 1 1 255 2", "goes on after its picture"),
        (b"P7\nWIDTH 1\n", "is a PAM (P7)"),
        (b"Pf\n1 1\n-1.0\n1234", "not in an image format"),
        (b"PK\3\4", "not in an image format"),
    ],
)
def test_what_is_refused(path, data, told):
    assert told in refusal(path, data)


def test_pixels_are_not_copied_for_their_header():
    header = read_header(b"P5 2 1 9 \x01\x09")
    assert (header.width, header.height, header.bits, header.maximum) == (2, 1, 8, 9)
    assert read_pixels(b"P5 2 1 9 \x01\x09", header).tolist() == [[1, 9]]
