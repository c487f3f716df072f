"""How torch's threads behave on a machine that they do not have for themselves."""

from __future__ import annotations

import os


def wait_without_spinning() -> None:
    """Let idle OpenMP threads sleep instead of spin; call it before torch is imported.

    On CPUs torch's threads meet at a barrier many times a layer. GNU OpenMP lets them spin there,
    which costs nothing on an idle machine; as soon as another program wants a core, each barrier
    waits for a thread that is not running, and training slows down many times over. A value of
    ``OMP_WAIT_POLICY`` that is set already is kept.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
