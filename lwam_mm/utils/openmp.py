"""Set how long idle OpenMP threads wait actively."""

from __future__ import annotations

import os


def spin_briefly() -> None:
    """Make idle OpenMP threads spin only briefly before they sleep; call it before importing torch.

    On CPUs torch's threads meet at a barrier many times per layer. GNU OpenMP lets them spin there
    for a long time. On an idle machine that costs nothing, but once another program uses a core,
    each barrier waits for a thread that is not running, and training becomes many times slower.
    Threads that sleep at once, on the other hand, must be woken for each small kernel. Settings of
    the user in ``OMP_WAIT_POLICY`` or ``GOMP_SPINCOUNT`` are kept.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "20000")
