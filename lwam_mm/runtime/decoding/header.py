"""What an image file says about its pixels, and the error for a file that is not read."""

from dataclasses import dataclass

from lwam_mm.runtime.errors import ImageError

COPY_AGAIN = "copy or record it again"
SAVE_AS_PNG = "save it as a grey or RGB PNG with 8 or 16 bits a channel"


class RefusedImageError(ImageError):
    """An image that is not read; whoever knows the file's name adds it.

    Attributes:
        found: The rest of a sentence that begins with the file's name.
        remedy: What to do about it.
        kind: "unreadable", "mode" (a kind of pixel that is not read) or "white level".
    """

    def __init__(self, found: str, remedy: str = COPY_AGAIN, kind: str = "unreadable") -> None:
        super().__init__(found, remedy, kind)
        self.found, self.remedy, self.kind = found, remedy, kind

    def __str__(self) -> str:
        return f"the image {self.found}: {self.remedy}"


def unsupported(found: str, remedy: str = SAVE_AS_PNG) -> RefusedImageError:
    """Return the error for a kind of pixel that is not read."""
    return RefusedImageError(found, remedy, "mode")


def truncated(container: str, detail: str) -> RefusedImageError:
    """Return the error for a file that is cut off, filled up with zeros or damaged."""
    return RefusedImageError(f"is a truncated {container} ({detail})")


@dataclass(frozen=True)
class Header:
    """What a file says about its pixels."""

    container: str  # "PNG", "JPEG", "TIFF", "PNM", "BMP", "WebP" or "JPEG 2000"
    width: int  # as stored, before it is turned upright
    height: int
    bits: int  # of each sample, all alike; unsigned
    colour: str  # "grey", "RGB" or "palette"
    alpha: bool = False  # there is an alpha channel, not multiplied into the colours
    orientation: int = 1  # EXIF orientation, 1..8; 1 is upright
    lossy: bool = False  # whether the compression may change pixels
    maximum: int | None = None  # the value of white where the file declares it (PNM), else None
    pages: int = 1  # number of pictures in the file
    inverted: bool = False  # whether 0 is white
    # (offset, bytes) to overwrite before OpenCV decodes the file, so that it gives the samples as
    # they are stored.
    patches: tuple[tuple[int, bytes], ...] = ()
    start: int = 0  # offset of the first pixel, in a PNM
    uncompressed: bool = False  # nothing in the file tells whether its pixels are all there
    bottom_up: bool = False  # whether the last row is stored first
    ends_in_zeros: bool = False  # whether the compressed data of a WebP ends in many zeros
