"""Problems of a data set, and the error that reports them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lwam_mm.utils.errors import UserError

_SHOWN = 3  # of each kind


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one file or folder."""

    kind: str  # groups similar problems, such as ``"image without mask"``
    path: Path
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}: {self.found} Remedy: {self.remedy}"


class DatasetError(UserError, ValueError):
    """Data that cannot be used as it is; the message names the file, the value and the remedy.

    The error can be built from the message alone, because data loader workers and MMEngine's
    registry rebuild exceptions from their text.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


def error_for(problem: Problem) -> DatasetError:
    """Return the error for a single problem."""
    return DatasetError(str(problem), [problem])


def summarise(problems: Iterable[Problem]) -> str:
    """List problems by kind: the first three of each kind and the count of the rest."""
    by_kind: dict[str, list[Problem]] = {}
    for problem in problems:
        by_kind.setdefault(problem.kind, []).append(problem)
    lines = []
    for kind, group in by_kind.items():
        lines.append(f"[{kind}: {len(group)}]")
        lines.extend(f"  {problem}" for problem in group[:_SHOWN])
        if len(group) > _SHOWN:
            lines.append(f"  ... and {len(group) - _SHOWN} more of this kind")
    return "\n".join(lines)


def raise_for(problems: Sequence[Problem], what: str) -> None:
    """Raise one error for all problems, if there are any; it says that ``what`` cannot be used."""
    if problems:
        hint = "`tools/check_dataset.py` lists every problem of a data set in one pass."
        raise DatasetError(f"{what} cannot be used.\n{summarise(problems)}\n{hint}", problems)
