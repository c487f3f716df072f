import json

import cv2
import matplotlib
import pytest
from matplotlib.figure import Figure

from lwam_mm.engine.logging.curves import Curves, ScalarFile, draw_curves, read_curves


def write_rows(path, *rows):
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def train_row(iteration, **values):
    return {"lr": 0.01, **values, "iter": iteration, "step": iteration}


def test_sorts_rows_into_losses_metrics_classes_and_learning_rate(tmp_path):
    path = write_rows(
        tmp_path / "scalars.json",
        train_row(10, loss=2.0, **{"decode.loss_ce": 1.5, "decode.acc_seg": 40.0, "time": 0.1}),
        train_row(20, loss=1.0, **{"decode.loss_ce": 0.5}),
        {"aAcc": 90.0, "mIoU": 50.0, "IoU.Super": 30.0, "Dice.Super": 40.0, "step": 20}
        | {"teacher.mIoU": 70.0, "teacher.IoU.Super": 60.0},
    )
    curves = read_curves([ScalarFile(path)])

    assert curves.losses == {
        "loss": [(10, 2.0), (20, 1.0)],
        "decode.loss_ce": [(10, 1.5), (20, 0.5)],
    }
    assert curves.learning_rates == {"lr": [(10, 0.01), (20, 0.01)]}
    assert curves.metrics == {"mIoU": [(20, 50.0)], "teacher.mIoU": [(20, 70.0)]}
    assert curves.class_iou == {"Super": [(20, 30.0)]}
    assert curves.problems == []


def test_reads_keys_that_name_their_stage(tmp_path):
    path = write_rows(
        tmp_path / "scalars.json",
        {"train/lr": 0.1, "train/loss": 2.0, "iter": 5, "step": 5},
        {"val/mIoU": 50.0, "val/IoU.Super": 30.0, "step": 5},
    )
    curves = read_curves([ScalarFile(path)])

    assert curves.losses == {"loss": [(5, 2.0)]}
    assert curves.learning_rates == {"lr": [(5, 0.1)]}
    assert curves.metrics == {"mIoU": [(5, 50.0)]}
    assert curves.class_iou == {"Super": [(5, 30.0)]}


@pytest.mark.parametrize(("unit", "expected"), [(1, 2), (12, 24), (None, 20)])
def test_validation_steps_become_iterations(tmp_path, unit, expected):
    path = write_rows(tmp_path / "scalars.json", train_row(20, loss=1.0), {"mIoU": 50.0, "step": 2})
    curves = read_curves([ScalarFile(path, validation_unit=unit)])
    assert curves.metrics["mIoU"] == [(expected, 50.0)]


def test_joins_runs_without_what_was_trained_again(tmp_path):
    first = write_rows(
        tmp_path / "1.json",
        train_row(10, loss=4.0),
        {"mIoU": 1.0, "step": 10},
        train_row(20, loss=99.0),
        {"mIoU": 99.0, "step": 20},
    )
    second = write_rows(tmp_path / "2.json", train_row(20, loss=3.0), {"mIoU": 2.0, "step": 20})
    curves = read_curves([ScalarFile(first, until=10), ScalarFile(second)])

    assert curves.losses["loss"] == [(10, 4.0), (20, 3.0)]
    assert curves.metrics["mIoU"] == [(10, 1.0), (20, 2.0)]


def test_missing_file_and_half_a_line_are_problems_and_the_rest_is_read(tmp_path):
    path = write_rows(tmp_path / "scalars.json", train_row(10, loss=4.0))
    path.write_text(path.read_text() + '{"loss": 3.0, "it')
    curves = read_curves([ScalarFile(tmp_path / "gone.json"), ScalarFile(path)])

    assert curves.losses["loss"] == [(10, 4.0)]
    assert len(curves.problems) == 2
    assert "gone.json is missing" in curves.problems[0]
    assert "scalars.json, line 2" in curves.problems[1]


def make_curves(**changes):
    iterations = range(1, 50)
    parts = dict(
        losses={"loss": [(i, 5.0 / i) for i in iterations]},
        metrics={"mIoU": [(i, float(i)) for i in iterations]},
        class_iou={"Super": [(i, i / 2) for i in iterations]},
        learning_rates={"lr": [(i, 1e-3) for i in iterations]},
    )
    return Curves(**{**parts, **changes})


def test_draws_a_picture_with_a_panel_for_each_kind(tmp_path):
    draw_curves(make_curves(), tmp_path / "all.png")
    draw_curves(make_curves(metrics={}, class_iou={}), tmp_path / "no_validation.png")

    everything, less = (
        cv2.imread(str(tmp_path / name)) for name in ("all.png", "no_validation.png")
    )
    assert everything.std() > 10
    assert less.shape[0] < everything.shape[0] - 200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.png", "no_validation.png"]


def test_panels_hold_the_points_and_name_them(tmp_path, monkeypatch):
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *args, **kw: (figures.append(self), save(self, *args, **kw))
    )
    curves = make_curves()
    curves.losses["loss_ce"] = [(1, 3.0), (2, 2.0)]
    curves.metrics["teacher.mIoU"] = [(1, 70.0), (49, 70.0)]
    draw_curves(curves, tmp_path / "c.png", title="run 7")

    loss, metric, rate = figures[0].axes
    assert figures[0].get_suptitle() == "run 7"
    assert [line.get_label() for line in loss.lines] == ["loss (sum)", "loss_ce"]
    assert loss.lines[1].get_xydata().tolist() == [[1, 3.0], [2, 2.0]]
    assert loss.get_yscale() == "log"
    labels = [line.get_label() for line in metric.lines]
    assert labels == ["Super", "mIoU", "teacher.mIoU", "best 49.0 at 49"]
    assert metric.lines[1].get_ydata().tolist() == list(range(1, 50))
    assert rate.lines[0].get_ydata().tolist() == [1e-3] * 49
    assert loss.get_xlim() == rate.get_xlim()


def test_values_that_are_not_finite_do_not_stop_drawing(tmp_path):
    losses = {"loss": [(1, 2.0), (2, float("nan")), (3, float("inf")), (4, 1.0)]}
    draw_curves(make_curves(losses=losses), tmp_path / "c.png")
    assert (tmp_path / "c.png").is_file()


def test_nothing_to_draw_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"c\.png: nothing was logged"):
        draw_curves(Curves(), tmp_path / "c.png")
    assert list(tmp_path.iterdir()) == []


def test_pyplot_is_left_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    draw_curves(make_curves(), tmp_path / "c.png")
    assert dict(matplotlib.rcParams) == before
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []
