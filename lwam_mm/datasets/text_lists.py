"""Text files with one name per line: class files and split files."""

from pathlib import Path

from lwam_mm.datasets.problem import Problem


def read_names(path: Path, what: str) -> tuple[dict[int, str], list[Problem]]:
    """Read a UTF-8 text file with one name per line; blank lines at its end do not count.

    Returns the names by line number, and the problems: an unreadable or empty file, blank lines and
    repeated names.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except FileNotFoundError:
        return {}, [Problem(what, path, f"no such {what}.", "correct its path.")]
    except (OSError, UnicodeDecodeError) as error:
        remedy = "save it as UTF-8 text, one name per line."
        return {}, [Problem(what, path, f"unreadable ({error}).", remedy)]
    if not lines:
        kind = f"empty {what.removesuffix(' file')}"
        return {}, [Problem(kind, path, f"the {what} is empty.", "list one name per line.")]
    names: dict[int, str] = {}
    first: dict[str, int] = {}
    problems = []
    for number, line in enumerate(lines, start=1):
        name = line.strip()
        if not name:
            problems.append(Problem(what, path, f"line {number} is blank.", "remove the line."))
        elif first.setdefault(name, number) != number:
            found = f"line {number} repeats {name!r} of line {first[name]}."
            problems.append(Problem(what, path, found, "keep one of the two lines."))
        else:
            names[number] = name
    return names, problems
