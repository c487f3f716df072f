"""Why something failed, in a line of a table."""

from __future__ import annotations

import traceback
from pathlib import Path

_LONGEST = 300


def reason(error: Exception) -> str:
    """Write an error as one line of some 300 letters at most; one without words says where."""
    text = " ".join(str(error).split())
    if not text:
        frames = traceback.extract_tb(error.__traceback__)
        text = f"in {Path(frames[-1].filename).name}: {frames[-1].line}" if frames else "no reason"
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    return f"{type(error).__name__}: {text}"
