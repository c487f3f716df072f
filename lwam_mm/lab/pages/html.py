"""Pages that are one HTML file each: no script, no network, no other file."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lwam_mm.utils.atomic_files import write_atomically

# All texts are shown as they are, never read as HTML.
_TEMPLATES = Environment(
    loader=PackageLoader("lwam_mm.lab.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: object) -> Markup:
    """Fill in one of the templates; the result may be used in another one as it is."""
    return Markup(_TEMPLATES.get_template(template).render(values))


def write_page(path: str | Path, template: str, **values: object) -> None:
    """Fill in one of the templates and write it as a file, whole or not at all.

    Raises:
        OSError: If the file cannot be written.
    """
    write_atomically(path, render(template, **values).encode("utf-8"))
