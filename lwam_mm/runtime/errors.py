"""What the runtime side raises, so that a caller can tell whose fault it is."""

from lwam_mm.utils.errors import UserError


class BundleError(UserError, ValueError):
    """The bundle is at fault: unreadable, incomplete, changed, or not what it says it is."""


class ImageError(UserError, ValueError):
    """The image is at fault: missing, unreadable, truncated, or of a kind that is not taken."""


class EngineError(UserError, RuntimeError):
    """The inference engine is at fault: not installed, or it failed while it ran."""
