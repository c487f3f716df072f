"""Checks that OpenCV can be imported, and says how to get it where it cannot."""

from __future__ import annotations

import sys

from lwam_mm.utils.errors import UserError

# The name of Debian 12 also installs on Debian 13 and Ubuntu 24.04, where libglib2.0-0t64 provides
# it.
_SYSTEM_LIBRARIES = "apt-get install -y libgl1 libglib2.0-0 libxcb1"
_HEADLESS = "pip install opencv-python-headless"
_REINSTALL = f"pip uninstall -y opencv-python opencv-python-headless && {_HEADLESS}"


class OpenCVError(UserError, ImportError):
    """OpenCV is not installed, lacks a library of the system, or its installation is damaged."""


def check_opencv() -> None:
    """Import OpenCV.

    Raises:
        OpenCVError: OpenCV cannot be imported; the message holds the command that helps.
    """
    try:
        import cv2
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "cv2":
            message = f"OpenCV is not installed: pip install opencv-python, or {_HEADLESS}"
        elif "cannot open shared object file" in str(error):
            message = (
                f"OpenCV needs a library that this system lacks ({error}). On Debian and Ubuntu: "
                f"{_SYSTEM_LIBRARIES}. Or use the OpenCV package that does not need it: "
                f"{_REINSTALL}"
            )
        else:
            message = f"OpenCV cannot be imported ({error}): {_REINSTALL}"
        # Without the original traceback: the message holds all that it says.
        raise OpenCVError(message) from None
    # opencv-python and opencv-python-headless write the same folder. Where both were installed and
    # one was removed, an empty folder is left, which Python imports without an error.
    if not hasattr(cv2, "imdecode"):
        raise OpenCVError(
            "OpenCV's files are missing, probably because one of two OpenCV packages was "
            f"uninstalled: {_REINSTALL}"
        )


if __name__ == "__main__":
    try:
        check_opencv()
    except OpenCVError as error:
        sys.exit(f"error: {error}")
