"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prettytable import PrettyTable, TableStyle


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, its first column aligned to the left and the others to the right."""
    table = PrettyTable([_escape(heading) for heading in headings])
    table.add_rows([[_escape(cell) for cell in row] for row in rows])
    table.align = "r"
    table.align[table.field_names[0]] = "l"
    table.set_style(TableStyle.MARKDOWN)
    return table.get_string()


def _escape(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
