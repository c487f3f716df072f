"""What the runtime side raises, so that a caller can tell whose fault it is."""


class BundleError(ValueError):
    """The bundle is at fault: unreadable, incomplete, changed, or not what it says it is."""


class ImageError(ValueError):
    """The image is at fault: missing, unreadable, truncated, or of a kind that is not taken."""


class EngineError(RuntimeError):
    """The inference engine is at fault: not installed, or it failed while it ran."""
