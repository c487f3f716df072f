"""All that a benchmark measured, and its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lwam_mm.lab.benchmark import page
from lwam_mm.lab.benchmark.plot import draw
from lwam_mm.lab.benchmark.profile import Layer
from lwam_mm.lab.benchmark.row import Result
from lwam_mm.lab.benchmark.startup import StartUp
from lwam_mm.lab.benchmark.targets import Verdict
from lwam_mm.utils.atomic_files import write_atomically


@dataclass
class Report:
    """All that a benchmark measured.

    Attributes:
        results: the rows.
        ceilings: the matrix products.
        shares: of the machine's ceiling, by the row's key, in 0..1.
        starts: fresh processes.
        import_seconds: what ``import lwam_mm.runtime`` takes; None if not measured.
        profiles: layers of a row, the slowest first, by the row's title.
        verdicts: the targets.
        machine: pairs of what and its value.
        notes: what else a reader has to know.
    """

    results: list[Result]
    ceilings: list[Result] = field(default_factory=list)
    shares: dict[str, float] = field(default_factory=dict)
    starts: list[StartUp] = field(default_factory=list)
    import_seconds: float | None = None
    profiles: dict[str, list[Layer]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    machine: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write ``benchmark.md``, ``.csv`` and ``.png`` into a folder, each whole or not at all."""
        picture = draw(self.results)
        if picture is not None:
            write_atomically(folder / "benchmark.png", picture)
        table = page.csv_text([*self.results, *self.ceilings], self.shares)
        write_atomically(folder / "benchmark.csv", table.encode())
        text = page.markdown(self, "benchmark.png" if picture is not None else None)
        write_atomically(folder / "benchmark.md", text.encode())
