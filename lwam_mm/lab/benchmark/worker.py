"""The process of one row: loads its model once, then runs it whenever it is its turn.

``python -m lwam_mm.lab.benchmark.worker`` speaks in lines of JSON. The first line that it reads is
the job, then each is ``"run"`` or ``"memory"``; it answers each by one line.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from lwam_mm.lab.benchmark.jobs import prepare
from lwam_mm.lab.benchmark.reason import reason

_PAUSE_SECONDS = 0.005
_LONGEST_SETTLING_SECONDS = 2.0


def peak_memory() -> float | None:
    """Return the most memory that this process ever held, in MB (10^6 bytes); None if unknown.

    From Linux's own books: ``getrusage`` would count what the parent held when it forked.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else None


def settle() -> None:
    """Wait until this process's threads sleep.

    Thread pools spin for a while after their work, some for a fifth of a second, and would take
    the cores away from whoever is next.
    """
    deadline = time.monotonic() + _LONGEST_SETTLING_SECONDS
    while time.monotonic() < deadline:
        before = time.process_time()
        time.sleep(_PAUSE_SECONDS)
        if time.process_time() - before < _PAUSE_SECONDS / 10:
            return


def serve(orders: TextIO, answers: TextIO) -> None:
    """Take a job and run it on demand, until there are no more orders.

    Args:
        orders: lines of JSON: the job, then ``"run"`` or ``"memory"`` each.
        answers: gets one line of JSON for each order: for the job ``load`` and ``first``, the
            milliseconds until it was ready and of its first call; for ``"run"`` its ``ms``; for
            ``"memory"`` ``peak``, in MB. What fails is answered by ``error``, a sentence, and that
            is the end.
    """

    def answer(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    call = None
    for line in orders:
        try:
            order = json.loads(line)
            if order == "memory":
                answer(dict(peak=peak_memory()))
                continue
            start = time.perf_counter()
            if call is None:
                call = prepare(order)
            loaded = time.perf_counter()
            call()
            done = time.perf_counter()
        except Exception as error:
            answer(dict(error=reason(error)))
            return
        settle()
        times = dict(ms=1000 * (done - loaded))
        if order != "run":
            times = dict(load=1000 * (loaded - start), first=times["ms"])
        answer(times)


def main() -> None:
    """Serve on the standard streams; what libraries print there goes to the errors instead."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
