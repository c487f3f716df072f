from __future__ import annotations

import jinja2
import pytest

from lwam_mm.lab.pages.html import render, write_page

PLOT = dict(lines=[("guess", "0,0 1,1")], best=(1, 2), left=40, top=8, side=160)


def test_values_are_escaped_and_rendered_templates_are_not():
    svg = render("precision_recall.svg", title='<b> & "c"', **PLOT)
    assert 'aria-label="&lt;b&gt; &amp; &#34;c&#34;"' in svg
    assert svg.__html__() == str(svg)


def test_a_missing_value_is_an_error_and_leaves_the_page_as_it_was(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("old")
    with pytest.raises(jinja2.UndefinedError, match="title"):
        write_page(page, "precision_recall.svg", **PLOT)
    assert page.read_text() == "old"
    write_page(tmp_path / "new" / "page.html", "precision_recall.svg", title="ä", **PLOT)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["page.html"]
    assert "ä" in (tmp_path / "new" / "page.html").read_text(encoding="utf-8")
