"""The errors of the runtime side; the class tells a caller what is at fault."""

from lwam_mm.utils.errors import UserError


class BundleError(UserError, ValueError):
    """The bundle is unreadable, incomplete, changed, or its model contradicts its manifest."""


class ImageError(UserError, ValueError):
    """The image is missing, unreadable, truncated, or of an unsupported kind."""


class EngineError(UserError, RuntimeError):
    """The inference engine is not installed, or failed while it ran."""


class SettingError(UserError, ValueError):
    """A setting of the caller's, such as ``threads`` or ``max_pixels``, cannot be used."""


class OutputError(UserError, FileExistsError):
    """The folder for results cannot be used without overwriting something else."""
