"""Train, distil, extract, test, fold, export, predict: each step by the tool its user runs.

The steps share one work folder, in this order; a step that fails fails those that need it.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from miniature import DISTILLED, SIZE, STUDENT, TEACHER

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("road")


def checkpoint(work: Path, run: str) -> Path:
    best = sorted((work / run).glob("best_mIoU_iter_*.pth"))
    assert len(best) == 1, best
    return best[0]


@pytest.fixture(scope="module")
def teacher(work, run_tool, configs, options) -> Path:
    done = run_tool(
        "train.py",
        configs / f"{TEACHER}.py",
        "--work-dir",
        "teacher",
        "--tensorboard",
        *options(TEACHER),
        cwd=work,
    )
    # Progress and what one can act on; no page of config, no upstream package telling itself off.
    assert "iteration 4/4  " in done.stdout
    for noise in ("Config:", "System environment", "Warning", "WARNING"):
        assert noise not in done.stdout + done.stderr
    return checkpoint(work, "teacher")


@pytest.fixture(scope="module")
def distilled(work, run_tool, configs, options, stock_tools, teacher) -> Path:
    """Distilled by MMSegmentation's stock tool."""
    run_tool(
        stock_tools / "train.py",
        configs / f"{DISTILLED}.py",
        "--work-dir",
        "distilled",
        *options(DISTILLED, True, f"model.teacher_ckpt={teacher}"),
        cwd=work,
    )
    return checkpoint(work, "distilled")


@pytest.fixture(scope="module")
def student(work, run_tool, distilled) -> Path:
    run_tool("extract_student.py", distilled, "student.pth", cwd=work)
    return work / "student.pth"


def evaluate(run_tool, work, configs, options, config, weights, out, *flags) -> dict:
    run_tool(
        "test.py",
        configs / f"{config}.py",
        weights,
        "--out",
        out,
        *flags,
        *options(config, False),
        cwd=work,
    )
    return json.loads((work / out).read_text())


def test_curves_and_scalars_are_left(work, teacher):
    assert (work / "teacher" / "curves.png").stat().st_size > 10_000
    (scalars,) = (work / "teacher").glob("*/vis_data/scalars.json")
    logged = [json.loads(line) for line in scalars.read_text().splitlines()]
    assert any("IoU.Background" in entry for entry in logged)
    assert list((work / "teacher").glob("*/vis_data/events.out.tfevents.*"))


def test_checkpoints_load_safely_and_training_resumes(work, run_tool, configs, options, teacher):
    (last,) = (work / "teacher").glob("iter_4.pth")
    assert torch.load(last, weights_only=True)["message_hub"]["log_scalars"]
    done = run_tool(
        "train.py",
        configs / f"{TEACHER}.py",
        "--work-dir",
        "teacher",
        "--resume",
        # The later steps use the best of the first run: keep it beside a new one.
        *options(
            TEACHER, True, "train_cfg.max_iters=6", "default_hooks.checkpoint.max_keep_best=9"
        ),
        cwd=work,
    )
    assert "resumed epoch: 0, iter: 4" in done.stdout
    assert "iteration 5/6  " in done.stdout
    assert "iteration 4/6  " not in done.stdout


def test_stock_tool_trains_the_student_alone(work, run_tool, configs, options, stock_tools):
    run_tool(
        stock_tools / "train.py",
        configs / f"{STUDENT}.py",
        "--work-dir",
        "student",
        *options(STUDENT),
        cwd=work,
    )
    assert checkpoint(work, "student").is_file()


def test_teacher_did_not_move(distilled, teacher):
    before = torch.load(teacher, weights_only=True)["state_dict"]
    after = torch.load(distilled, weights_only=True)["state_dict"]
    for name, value in before.items():
        assert torch.equal(after[f"teacher.{name}"], value), name


def test_extracted_folded_and_stock_agree(
    work, run_tool, configs, options, stock_tools, distilled, student
):
    plain = evaluate(run_tool, work, configs, options, STUDENT, student, "plain.json")
    folded = evaluate(run_tool, work, configs, options, STUDENT, student, "folded.json", "--fold")
    whole = evaluate(run_tool, work, configs, options, DISTILLED, distilled, "whole.json")
    assert folded["folded"] is True
    assert plain["metrics"].keys() == folded["metrics"].keys() == whole["metrics"].keys()
    assert {"mIoU", "IoU.Streaking", "Dice.Super"} <= plain["metrics"].keys()
    assert whole["metrics"] == pytest.approx(plain["metrics"])
    assert folded["metrics"]["mIoU"] == pytest.approx(plain["metrics"]["mIoU"], abs=0.1)
    done = run_tool(
        stock_tools / "test.py",
        configs / f"{STUDENT}.py",
        student,
        "--work-dir",
        "stock_test",
        *options(STUDENT, False),
        cwd=work,
    )
    assert f"mIoU: {plain['metrics']['mIoU']:.4f}" in done.stdout


def test_pictures_of_predictions(work, run_tool, configs, options, student, tiny_data):
    evaluate(run_tool, work, configs, options, STUDENT, student, "x.json", "--show-dir", "pictures")
    drawn = list((work / "pictures").rglob("*.png"))
    assert len(drawn) == len(list((tiny_data / "images" / "test").iterdir()))


def test_checkpoints_that_do_not_fit_are_refused(
    work, run_tool, configs, options, stock_tools, distilled, teacher
):
    args = (configs / f"{STUDENT}.py", distilled, *options(STUDENT, False))
    refused = run_tool("test.py", *args, cwd=work, status=1)
    assert "tools/extract_student.py" in refused.stderr
    assert "Traceback" not in refused.stderr
    stock = run_tool(stock_tools / "test.py", *args, "--work-dir", "stock", cwd=work, status=1)
    assert "CheckpointMismatchError" in stock.stderr
    exported = run_tool(
        "deploy.py", configs / f"{STUDENT}.py", teacher, "--out", "no_bundle", cwd=work, status=1
    )
    assert "does not fit the model" in exported.stderr
    assert not (work / "no_bundle").exists()


@pytest.fixture(scope="module")
def student_config(work, configs, tiny_data) -> Path:
    """The student's config as a leaf of one's own: narrow, on the tiny data."""
    leaf = work / "my_student.py"
    leaf.write_text(
        f"_base_ = [{str(configs / STUDENT)!r} + '.py']\n"
        "model = dict(backbone=dict(base_channels=8), decode_head=dict(base_channels=8))\n"
        "for loader in (_base_.train_dataloader, _base_.val_dataloader, _base_.test_dataloader):\n"
        f"    loader.dataset.data_root = {str(tiny_data)!r}\n"
        "for loader in (_base_.val_dataloader, _base_.test_dataloader):\n"
        f"    loader.dataset.pipeline[1].scale = ({SIZE}, {SIZE})\n"
        f"_base_.test_pipeline[1].scale = ({SIZE}, {SIZE})\n"
    )
    return leaf


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
def test_export_and_predict(dynamic, work, run_tool, student_config, student, tiny_data):
    name = "dynamic" if dynamic else "static"
    flags = ["--backend", "onnxruntime", *(["--dynamic"] if dynamic else [])]
    done = run_tool("deploy.py", student_config, student, "--out", name, *flags, cwd=work)
    assert "agree %" in done.stdout
    assert "float32 for onnxruntime" in done.stdout
    graph = onnx.load(work / name / "model.onnx").graph
    kernels = {i.name: list(i.dims) for i in graph.initializer}
    convolutions = [kernels[n.input[1]][2:] for n in graph.node if n.op_type == "Conv"]
    assert sorted(convolutions) == [[1, 1]] + [[3, 3]] * 10
    operators = [node.op_type for node in graph.node]
    assert operators.count("ConvTranspose") == 4
    assert not {"BatchNormalization", "Resize", "Add"} & set(operators)

    images = tiny_data / "images" / "test"
    run_tool("predict.py", work / name, images, "--out", f"{name}_out", cwd=work)
    rows = list(csv.DictReader((work / f"{name}_out" / "pixels.csv").open()))
    assert len(rows) == len(list(images.iterdir()))
    for row in rows:
        mask = cv2.imread(str(work / f"{name}_out/masks/{row['name']}.png"), cv2.IMREAD_UNCHANGED)
        assert mask.shape == (SIZE, SIZE)
        counted = [int(value) for key, value in row.items() if key.startswith("pixels")]
        assert counted == np.bincount(mask.ravel(), minlength=6).tolist()


def test_exported_model_scores_as_torch_does(
    work, run_tool, student_config, student, tiny_data, options
):
    """Through MMDeploy's own road, and through the runtime."""
    run_tool("test.py", student_config, student, "--fold", "--out", "torch.json", cwd=work)
    torch_miou = json.loads((work / "torch.json").read_text())["metrics"]["mIoU"]

    from lwam_mm.evaluation.scores import confusion_matrix, confusion_to_metrics
    from lwam_mm.runtime import Predictor

    predictor = Predictor(work / "static")
    confusion = np.zeros((6, 6), np.int64)
    for image in (tiny_data / "images" / "test").iterdir():
        truth = cv2.imread(str(tiny_data / "masks/test" / image.name), cv2.IMREAD_UNCHANGED)
        confusion += confusion_matrix(
            truth, predictor(image).labels, 6, label_name="truth", prediction_name="prediction"
        )
    assert confusion_to_metrics(confusion).means["mIoU"] == pytest.approx(torch_miou, abs=0.1)
