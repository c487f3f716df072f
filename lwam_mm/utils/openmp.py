"""How torch's threads behave on a machine that they do not have for themselves."""

from __future__ import annotations

import os


def spin_briefly() -> None:
    """Let idle OpenMP threads spin for a moment only, then sleep; call it before torch comes in.

    On CPUs torch's threads meet at a barrier many times a layer. GNU OpenMP lets them spin there
    for long, which costs nothing on an idle machine; as soon as another program wants a core,
    each barrier waits for a thread that is not running, and training slows down many times over.
    Threads that sleep at once, on the other hand, have to be woken for every small kernel. What
    the user set himself, by ``OMP_WAIT_POLICY`` or ``GOMP_SPINCOUNT``, is kept.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "20000")
