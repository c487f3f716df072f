import re

import numpy as np
import pytest
from html_page import Page

from lwam_mm.lab.demo.report import write_report
from lwam_mm.lab.pages.pictures import Sample
from lwam_mm.lab.pages.table import ModelScores

CLASSES = ("Background", "Super", "Lattice")
PALETTE = ((0, 0, 0), (255, 0, 255), (0, 0, 255))
MODELS = (
    ModelScores("teacher", 71.234, [98.7, 60.0, 55.0], 9_046_808, 812.4),
    ModelScores("exported", 64.9, [98.1, None, float("nan")], 3_658_534, 24.06),
)


def make_sample(name="layer_0001.png", models=("teacher", "exported")):
    image = np.full((24, 32, 3), 90, np.uint8)
    mask = np.zeros((24, 32), np.uint8)
    mask[4:9, 4:9] = 1
    return Sample(name, image, mask, dict.fromkeys(models, mask))


def write(path, **changes):
    options = dict(
        title="Demo", models=MODELS, samples=[make_sample()], classes=CLASSES, palette=PALETTE
    )
    write_report(path, **{**options, **changes})
    return Page(path)


def test_shows_every_model_rounded_with_dashes_for_what_is_unknown(tmp_path):
    page = write(tmp_path / "report.html")

    table = page.texts[page.texts.index("model") : page.texts.index("Pictures")]
    assert table == [
        *("model", "mIoU %", "Background", "Super", "Lattice", "parameters", "ms/image"),
        *("teacher", "71.23", "98.70", "60.00", "55.00", "9.047 M", "812"),
        *("exported", "64.90", "98.10", "\u2013", "\u2013", "3.659 M", "24.1"),
    ]


def test_nothing_unknown_is_printed_raw(tmp_path):
    models = [ModelScores("bare", None), ModelScores("odd", float("nan"), None, None, float("inf"))]
    page = write(tmp_path / "report.html", models=models)
    assert not re.search(r"\b(nan|none|inf)\b", " ".join(page.texts), re.IGNORECASE)


def test_summary_compares_the_last_row_with_the_first(tmp_path):
    page = write(tmp_path / "report.html")
    start = page.texts.index("exported")
    summary = [text.replace("\xa0", " ") for text in page.texts[start : page.texts.index("Models")]]
    assert summary == [
        *("exported", "64.90 %", "mean IoU", "teacher: 71.23 %"),
        *("3.659 M", "parameters", "teacher: 9.047 M"),
        *("24.1 ms", "per image (median)", "teacher: 812 ms"),
    ]


def test_shows_image_truth_and_predictions_of_each_sample(tmp_path):
    samples = [make_sample(), make_sample("layer_0002.png", models=("exported",))]
    page = write(tmp_path / "report.html", samples=samples)

    assert [img["alt"] for img in page.attributes("img")] == [
        "layer_0001.png: image",
        "layer_0001.png: truth",
        "layer_0001.png: teacher",
        "layer_0001.png: exported",
        "layer_0002.png: image",
        "layer_0002.png: truth",
        "layer_0002.png: exported",
    ]
    assert page.texts.count("no prediction") == 1
    sources = [img["src"] for img in page.attributes("img")]
    assert sources[0] != sources[1] == sources[2]


def test_legend_names_the_classes_in_their_colours(tmp_path):
    page = write(tmp_path / "report.html")
    styles = [a["style"] for a in page.attributes("span") if "style" in a]
    assert styles == ["background:rgb(255,0,255)", "background:rgb(0,0,255)"]
    assert "Background (not coloured)" in page.texts
    assert "no label" not in page.texts


def test_legend_explains_pixels_without_a_label(tmp_path):
    sample = make_sample()
    sample.truth[0, 0] = 255
    assert "no label" in write(tmp_path / "report.html", samples=[sample]).texts


def test_needs_nothing_from_elsewhere(tmp_path):
    page = write(tmp_path / "report.html", commands=["make demo"])
    text = (tmp_path / "report.html").read_text(encoding="utf-8")

    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert all(img["src"].startswith("data:image/") for img in page.attributes("img"))
    assert not re.search(r"https?:|url\(|@import", text)


def test_works_in_light_and_dark_and_on_narrow_screens(tmp_path):
    page = write(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert {"name": "color-scheme", "content": "light dark"} in page.attributes("meta")
    assert "prefers-color-scheme: dark" in text
    assert any(meta.get("name") == "viewport" for meta in page.attributes("meta"))


def test_texts_are_never_read_as_html(tmp_path):
    bad = '<b onclick="x">&</b>'
    page = write(
        tmp_path / "report.html",
        title=bad,
        models=[ModelScores(bad, 1.0, [1.0] * 3)],
        samples=[make_sample(bad, models=(bad,))],
        classes=(bad, bad, bad),
        notes=[bad],
        facts={bad: bad},
        commands=[bad],
    )
    assert not page.attributes("b")
    places = dict(title=2, summary=2, table=4, note=1, legend=3, sample=1, panel=1, facts=2, code=1)
    assert sum(bad in text for text in page.texts) == sum(places.values())
    assert page.attributes("img")[0]["alt"] == f"{bad}: image"


def test_says_how_it_was_made(tmp_path):
    page = write(
        tmp_path / "report.html",
        notes=["Measured on a held-out build."],
        facts={"torch": "2.13.0", "seed": 114},
        commands=["make demo", "make test"],
    )
    assert "Measured on a held-out build." in page.texts
    assert page.texts[-5:] == ["torch", "2.13.0", "seed", "114", "make demo\nmake test"]


def test_sections_without_content_are_left_out(tmp_path):
    page = write(tmp_path / "report.html", samples=[])
    assert "Pictures" not in page.texts
    assert "How this was made" not in page.texts


def test_makes_the_folder_and_leaves_nothing_else(tmp_path):
    write(tmp_path / "work_dirs" / "demo" / "report.html")
    assert [p.name for p in (tmp_path / "work_dirs" / "demo").iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": [ModelScores("student", 1.0, [1.0])]}, "'student' has 1 class IoUs"),
    ],
)
def test_wrong_input_is_an_error_and_the_old_report_stays(tmp_path, changes, message):
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(ValueError, match=message):
        write(path, **changes)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
