import struct

import pytest
from PIL import Image

from lwam_mm.runtime.decoding import RefusedImageError
from lwam_mm.runtime.decoding.tags import orientation_of, read_tags


def exif(orientation: int, order: str = "<") -> bytes:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 1)
    return head + struct.pack(order + "HHIHHI", 274, 3, 1, orientation, 0, 0)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_the_orientation_in_exif(order, prefix):
    assert [orientation_of(prefix + exif(value, order)) for value in range(9)] == [1, *range(1, 9)]


def test_pillows_exif():
    image_exif = Image.Exif()
    image_exif[0x010F] = "a camera whose name does not fit into the tag itself"
    image_exif[0x0112] = 6
    assert orientation_of(image_exif.tobytes()) == 6


@pytest.mark.parametrize("damaged", [b"", b"II", b"II*\0\xff\xff\xff\x7f", b"XX*\0", exif(6)[:12]])
def test_damaged_exif_tells_nothing(damaged):
    assert orientation_of(damaged) == 1


def test_an_unknown_orientation_is_refused():
    with pytest.raises(RefusedImageError, match=r"EXIF orientation 9, outside 1\.\.8"):
        orientation_of(exif(9))
    with pytest.raises(RefusedImageError, match="EXIF orientation 12"):
        orientation_of(b"", b'tiff:Orientation="12"')


def test_tags_that_are_not_wanted_or_no_whole_numbers_are_left_out():
    rational = struct.pack("<HHHII", 1, 282, 5, 1, 0) + bytes(4)
    assert read_tags(rational, "<", 0, {282}) == ({}, 0)
    assert read_tags(exif(6), "<", 8, {259})[0] == {}
