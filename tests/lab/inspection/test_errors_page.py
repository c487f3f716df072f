from __future__ import annotations

import base64
import re
from dataclasses import replace
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from html_page import Page

from lwam_mm.lab.inspection import errors_page
from lwam_mm.lab.inspection.errors_page import draw_precision_recall, write_errors_page
from lwam_mm.lab.inspection.find_errors import Findings, WorstImage
from lwam_mm.lab.inspection.precision_recall import Curve, PrecisionRecall
from lwam_mm.lab.pages.pictures import Sample
from lwam_mm.lab.pages.table import ModelScores

CLASSES = ("Background", "Super", "Lattice")
PALETTE = ((0, 0, 0), (255, 0, 255), (0, 0, 255))
CONFUSION = np.array([[90, 10, 0], [1200, 400, 0], [0, 0, 0]])


def counted() -> PrecisionRecall:
    counts = PrecisionRecall(3)
    second = np.array([[0.9, 0.8, 0.7, 0.1]])
    counts.add(np.stack([1 - second, second, 0 * second]), np.array([[1, 0, 1, 0]]))
    return counts


def worst(name="layer_1.png", size=(24, 32), random=None):
    image = np.full((*size, 3), 90, np.uint8)
    if random is not None:
        image = random.integers(0, 256, image.shape, np.uint8)
    truth = np.zeros(size, np.uint8)
    truth[4:12, 4:12], truth[-2:] = 1, 255
    student = np.zeros(size, np.uint8)
    student[4:12, 8:20] = 1
    sample = Sample(name, image, truth, {"student": student, "teacher": truth % 255})
    return WorstImage(12.34, np.array([80.0, 1.5, np.nan]), sample)


@pytest.fixture
def write(tmp_path):
    def run(**changes):
        options = dict(
            title="What a.pth does wrong",
            judged="student",
            models=[
                ModelScores("teacher", 50.0, [90, 60, None]),
                ModelScores("student", 26.4, [80, 1, 0]),
            ],
            classes=CLASSES,
            palette=PALETTE,
            precision_recall={"teacher": counted(), "student": counted()},
            worst=[worst()],
        )
        options |= changes
        findings = Findings(
            images=1,
            confusion={options["judged"]: CONFUSION},
            precision_recall=options.pop("precision_recall"),
            worst=options.pop("worst"),
        )
        write_errors_page(tmp_path / "errors.html", findings, **options)
        return Page(tmp_path / "errors.html")

    return run


def test_confusion_in_percent_of_the_truth_with_counts(write):
    page = write()
    start = page.texts.index("pixels") + 1
    assert page.texts[start : page.texts.index("Precision and recall")] == [
        *("Background", "90.0 %", "90", "10.0 %", "10", "0.0 %", "0", "100"),
        *("Super", "75.0 %", "1,200", "25.0 %", "400", "0.0 %", "0", "1,600"),
        *("Lattice", "\u2013", "\u2013", "\u2013", "0"),
    ]
    right = [a["style"] for a in page.attributes("td") if a.get("class") == "part right"]
    assert right == ["--share:0.900", "--share:0.250"]


def test_curve_of_each_class_of_the_truth(write):
    page = write()
    plots = page.attributes("svg")
    assert len(plots) == 2
    assert all(plot["role"] == "img" for plot in plots)
    described = plots[1]["aria-label"].replace("\xa0", " ")
    assert described == (
        "Precision over recall of Super; average precision: student 83.3 %, teacher 83.3 %; "
        "best F-score 80.0 % at 0.101: precision 66.7 %, recall 100.0 %"
    )
    assert "not in the truth" in page.texts
    kinds = [line["class"] for line in page.attributes("polyline")]
    assert kinds == ["guess", "curve other", "curve"] * 2
    hint = next(text for text in page.texts if "solid line" in text)
    assert "student: solid line" in hint
    assert "teacher: dashed" in hint


def test_pictures_beside_each_other_and_their_order(write):
    page = write(worst=[worst("b.png"), worst("a.png")])
    assert [img["alt"] for img in page.attributes("img")] == [
        f"{name}: {what}"
        for name in ("b.png", "a.png")
        for what in ("image", "truth", "teacher", "student", "difference")
    ]
    assert "1. b.png: mean IoU 12.3 %" in page.texts
    assert "2. a.png: mean IoU 12.3 %" in page.texts
    assert page.texts.count("IoU in %: Background 80.0, Super 1.5") == 2
    for kind in ("found", "missed", "false", "wrong class", "no label"):
        assert kind in page.texts


def test_difference_is_of_the_judged_model(write):
    pictures = {}
    for img in write().attributes("img"):
        data = base64.b64decode(img["src"].partition(",")[2])
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(int)
        pictures[img["alt"].rpartition(" ")[2]] = picture
    blue, green, red = pictures["difference"][8, 6]  # in the truth alone: missed
    assert red > green > blue + 20
    blue, green, red = pictures["difference"][8, 16]  # predicted alone: false
    assert blue > green > red + 20
    blue, green, red = pictures["student"][8, 16]
    assert red > green + 40
    assert blue > green + 40
    assert np.abs(pictures["teacher"][8, 16] - 90).max() < 12


def test_pictures_are_scaled_until_the_page_is_small(write, tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    noisy = [worst(size=(300, 400), random=random) for _ in range(4)]
    write(worst=noisy)
    large = (tmp_path / "errors.html").stat().st_size
    monkeypatch.setattr(errors_page, "_BYTES", 400_000)
    page = write(worst=noisy)
    assert (tmp_path / "errors.html").stat().st_size < 430_000 < large
    data = base64.b64decode(page.attributes("img")[0]["src"].partition(",")[2])
    assert cv2.imdecode(np.frombuffer(data, np.uint8), 1).shape[1] in errors_page._SIDES
    monkeypatch.setattr(errors_page, "_BYTES", 1)  # the smallest side, whatever it weighs
    assert len(write(worst=noisy).attributes("img")) == 20


def test_one_model_and_no_picture(write):
    page = write(precision_recall={"student": counted()}, worst=[])
    assert "Worst images" not in page.texts
    assert [line["class"] for line in page.attributes("polyline")] == ["guess", "curve"] * 2


def test_needs_nothing_from_elsewhere(write, tmp_path):
    page = write(commands=["python tools/show_errors.py"])
    text = (tmp_path / "errors.html").read_text(encoding="utf-8")
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?:|url\(|@import", text)
    assert all(img["src"].startswith("data:image/jpeg;base64,") for img in page.attributes("img"))
    assert any(meta.get("name") == "viewport" for meta in page.attributes("meta"))
    assert page.texts[-1] == "python tools/show_errors.py"
    assert [path.name for path in tmp_path.iterdir()] == ["errors.html"]


def test_texts_are_never_read_as_html(write):
    bad = '<b onclick="x">&</b>'
    image = worst(bad)
    sample = Sample(bad, image.sample.image, image.sample.truth, {bad: image.sample.truth % 255})
    page = write(
        title=bad,
        judged=bad,
        models=[ModelScores(bad, 1.0, [1.0] * 3)],
        classes=(bad,) * 3,
        precision_recall={bad: counted()},
        worst=[replace(image, sample=sample)],
        notes=[bad],
        facts={bad: bad},
        commands=[bad],
    )
    assert not page.attributes("b")
    assert sum(bad in text for text in page.texts) > 20


# ---- precision over recall


THRESHOLDS = np.array([0, 0.25, 0.5, 0.75, 1.0])
FIRST = Curve(THRESHOLDS, np.array([0.2, 0.5, 0.8, 1, np.nan]), np.array([1, 0.5, 0.5, 0.25, 0]))
OTHER = Curve(THRESHOLDS, np.array([0.2, 0.2, 0.2, 1, 1]), np.array([1, 1, 1, 0.5, 0.5]))


def points(element) -> list[tuple[float, float]]:
    """Recall and precision, from the picture's own axes: 160 px for 100 %."""
    pairs = [pair.split(",") for pair in element.get("points").split()]
    return [((float(x) - 40) / 160, 1 - (float(y) - 8) / 160) for x, y in pairs]


def test_lines_are_the_curves():
    svg = ElementTree.fromstring(draw_precision_recall("a", {"s": FIRST, "t": OTHER}, 0.2))
    lines = {line.get("class"): points(line) for line in svg.iter("polyline")}
    assert list(lines) == ["guess", "curve other", "curve"]  # the first lies on top
    assert lines["guess"] == [pytest.approx((0, 0.2)), pytest.approx((1, 0.2))]
    # Without the threshold that finds nothing, and without points that repeat the one before.
    assert [pytest.approx(p) for p in lines["curve"]] == [
        (1, 0.2),
        (0.5, 0.5),
        (0.5, 0.8),
        (0.25, 1),
    ]
    assert [pytest.approx(p) for p in lines["curve other"]] == [(1, 0.2), (0.5, 1)]


def test_dot_is_at_the_best_f_score():
    svg = ElementTree.fromstring(draw_precision_recall("a", {"s": FIRST}, 0.2))
    (dot,) = svg.iter("circle")
    assert (float(dot.get("cx")), float(dot.get("cy"))) == (40 + 160 * 0.5, 8 + 160 * 0.2)


def test_axes_and_description():
    svg = ElementTree.fromstring(draw_precision_recall('a "<b>" & c', {"s": FIRST}, 0.2))
    assert (svg.get("role"), svg.get("aria-label")) == ("img", 'a "<b>" & c')
    texts = [text.text for text in svg.iter("text")]
    assert {"recall in %", "precision in %", "0", "50", "100"} == set(texts)
