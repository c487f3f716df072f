"""Random images in many modes, and random tags: both sides agree or both refuse."""

import numpy as np
import pytest
from both_sides import bgr, pillow, read_both
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from make_tiff import make_tiff
from PIL import Image

from lwam_mm.datasets.decode import decode_mask
from lwam_mm.datasets.problem import DatasetError
from lwam_mm.runtime import ImageError

QUIET = dict(deadline=None, suppress_health_check=list(HealthCheck), max_examples=250)

MODES = {
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "TIFF": ["L", "LA", "RGB", "RGBA", "I;16"],
    "BMP": ["1", "L", "P", "RGB", "RGBA"],
    "WEBP": ["RGB", "RGBA"],
    "PPM": ["1", "L", "RGB", "I;16"],
    "JPEG2000": ["L", "RGB", "I;16"],
}
REFUSED = [("TIFF", "1"), ("TIFF", "P"), ("TIFF", "F"), ("TIFF", "CMYK"), ("TIFF", "LAB")]
REFUSED += [
    ("JPEG", "CMYK"),
    ("GIF", "L"),
    ("JPEG2000", "LA"),
    ("JPEG2000", "RGBA"),
    ("PPM", "F"),
    ("TGA", "L"),
]


@settings(**QUIET)
@given(
    st.sampled_from([(container, mode) for container, modes in MODES.items() for mode in modes]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 2**32),
    st.integers(0, 8),
)
def test_what_pillow_writes(tmp_path, kind, width, height, seed, orientation):
    container, mode = kind
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    if mode == "I;16":
        wanted = bgr(pixels[..., 0])
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(pixels).convert(mode)
        wanted = bgr(np.asarray(image.convert("RGB") if mode in ("1", "P") else image))
    options = dict(lossless=True, exact=True) if container == "WEBP" else {}
    if container in ("PNG", "TIFF", "WEBP") and orientation > 1:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
        wanted = wanted[::-1] if orientation in (3, 4) else wanted
        wanted = wanted[:, ::-1] if orientation in (2, 3) else wanted
        if orientation >= 5:
            wanted = np.rot90(wanted, {5: 1, 6: 3, 7: 1, 8: 1}[orientation])
            wanted = wanted[::-1] if orientation == 5 else wanted
            wanted = wanted[:, ::-1] if orientation == 7 else wanted
    data = pillow(image, container, **options)
    np.testing.assert_array_equal(read_both(tmp_path / "layer", data), wanted)


@pytest.mark.parametrize(("container", "mode"), REFUSED)
def test_what_is_refused(tmp_path, smooth, container, mode):
    image = Image.fromarray(smooth)
    image = Image.new("LAB", (9, 9)) if mode == "LAB" else image.convert(mode)
    with pytest.raises(ImageError, match="layer"):
        read_both(tmp_path / "layer", pillow(image, container))


TAGS = {
    256: st.integers(0, 40),
    257: st.integers(0, 40),
    258: st.sampled_from([1, 8, 12, 16, 32, [8, 8, 16], [8, 8], [16, 16, 16]]),
    259: st.sampled_from([1, 2, 5, 6, 7, 8, 32773, 50000]),
    262: st.integers(0, 9),
    266: st.integers(0, 3),
    273: st.integers(0, 3000),
    274: st.integers(0, 10),
    277: st.integers(0, 6),
    278: st.integers(0, 40),
    279: st.integers(0, 3000),
    284: st.integers(0, 3),
    338: st.sampled_from([0, 1, 2, [0, 0], [2, 1], None]),
    339: st.sampled_from([1, 2, 3, 4, [1, 2], None]),
}


@settings(**QUIET)
@given(
    st.sampled_from([np.uint8, np.uint16, np.int16, np.float32]),
    st.integers(1, 5),
    st.fixed_dictionaries({}, optional=TAGS),
    st.fixed_dictionaries(
        {},
        optional=dict(
            order=st.just(">"),
            big=st.just(True),
            planar=st.just(True),
            deflate=st.just(True),
            rows=st.integers(1, 20),
            tile=st.just((16, 32)),
        ),
    ),
)
def test_a_tiff_with_any_tags(tmp_path, noise, dtype, channels, tags, options):
    pixels = np.dstack([noise, noise[..., 0]])[..., :channels].astype(dtype)
    data = make_tiff(pixels, tags, **options)
    try:
        read_both(tmp_path / "layer", data)
    except ImageError as error:
        assert ": " in str(error)  # noqa: PT017
    try:
        mask = decode_mask(data, tmp_path / "layer", 255)
    except DatasetError as error:
        assert "Remedy: " in str(error)  # noqa: PT017
    else:
        assert mask.dtype == np.uint8
        assert mask.ndim == 2
