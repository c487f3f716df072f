"""Fixtures of studies: files of text, and trainings replaced by a few lines of Python."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from lwam_mm.lab.studies import execute_run
from lwam_mm.lab.studies.latency import ArmLatency
from lwam_mm.lab.studies.study import Study, read_study

_PLAIN = "model = dict(type='Plain', width=4, parts=[1, 2, 3])\nrandomness = dict(seed=7)\n"
_DISTILLATION = (
    "model = dict(type='Distil', architecture=dict(width=4), teacher=dict(type='Old'),\n"
    "    teacher_ckpt=None, losses=dict(loss_a=dict(weight=1.0), loss_b=dict(weight=2.0)))\n"
)

LATENCY_SETTING = dict(
    engine="OpenVINO 2026.2",
    size=256,
    threads=2,
    processor="Quick, (R) 9",
    versions="lwam_mm 0.1.0, torch 2.9",
    date="2026-10-01",
    command="python tools/measure_latency.py configs/ablations/x.py --size 256",
)


def make_latency(arm, precision, ms=None, p95_ms=None, calls=None, macs=None, note="", **setting):
    """The latency of an arm, measured as :data:`LATENCY_SETTING` says if nothing else does."""
    return ArmLatency(arm, precision, ms, p95_ms, calls, macs, note, **(LATENCY_SETTING | setting))


@pytest.fixture
def write_study(tmp_path) -> Callable[..., Path]:
    """Function that writes a study beside two configs, plain.py and distillation.py."""

    def write(name: str = "small", **said) -> Path:
        folder = tmp_path / "studies"
        folder.mkdir(exist_ok=True)
        (folder / "plain.py").write_text(_PLAIN)
        (folder / "distillation.py").write_text(_DISTILLATION)
        said = {
            "title": "Small",
            "base": "plain.py",
            "arms": {"a": {}, "b": dict(overrides={"model.width": 8})},
            "seeds": [0, 1],
            "compare_with": "a",
            **said,
        }
        path = folder / f"{name}.py"
        path.write_text("".join(f"{key} = {value!r}\n" for key, value in said.items()))
        return path

    return write


@pytest.fixture
def make_study(write_study) -> Callable[..., Study]:
    """Function that writes a study and reads it."""
    return lambda name="small", **said: read_study(write_study(name, **said))


@pytest.fixture
def stub_tools(tmp_path, monkeypatch) -> Callable[[str], Path]:
    """Function that puts a few lines in place of tools/train.py, and writes figures at once.

    The lines find ``config``, ``folder`` (paths) and ``argv``; returned is the folder of what the
    trainings leave behind.
    """
    traces = tmp_path / "traces"
    traces.mkdir()
    evaluate = tmp_path / "evaluate.py"
    evaluate.write_text(
        "import json, sys, pathlib\n"
        "_, config, folder, which, out, evaluators = sys.argv\n"
        "(pathlib.Path(folder) / 'iter_4.pth').touch()\n"
        "(pathlib.Path(folder) / 'last_checkpoint').write_text('elsewhere/iter_4.pth')\n"
        "pathlib.Path(out).write_text(json.dumps(dict(checkpoint='iter_4.pth', best_epoch=2,\n"
        "    parameters=10, metrics={'mIoU': 50.0, 'IoU.Crack': 40.0})))\n"
    )

    def install(lines: str) -> Path:
        train = tmp_path / "train.py"
        train.write_text(
            "import os, pathlib, signal, sys, time\n"
            "argv = sys.argv\nconfig, folder = pathlib.Path(argv[1]), pathlib.Path(argv[3])\n"
            f"traces = pathlib.Path({str(traces)!r})\n" + textwrap.dedent(lines)
        )
        monkeypatch.setattr(execute_run, "TRAIN", train)
        monkeypatch.setattr(execute_run, "EVALUATE", (str(evaluate),))
        return traces

    return install
