from __future__ import annotations

from pathlib import Path

from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from lwam_mm.engine.runners.concise_runner import ConciseRunner

FOR_THE_FILE_ONLY = (
    "System environment:",
    "Hooks will be executed in the following order",
    "Exp name: ",
    '"FileClient" will be deprecated',
)


def run(tiny_runner, capsys, kind) -> tuple[str, str]:
    """What one epoch writes to the console and to the log file."""
    capsys.readouterr()
    runner = tiny_runner([1.5, 2.5], epochs=2, kind=kind, log_level="INFO")
    runner.train()
    print_log("the disk is nearly full", logger="current", level=30)
    console = capsys.readouterr()
    (log,) = Path(runner.work_dir).glob("*/*.log")
    return console.out + console.err, log.read_text()


def test_progress_reaches_the_console_and_the_record_the_file(tiny_runner, capsys):
    console, log = run(tiny_runner, capsys, ConciseRunner)
    for message in FOR_THE_FILE_ONLY:
        assert message in log
        assert message not in console
    for message in (
        "Epoch(train) [1][2/2]",
        "Epoch(val) [2][2/2]",
        "mIoU: 2.5",
        "Saving checkpoint at 2 epochs",
        "the disk is nearly full",
    ):
        assert message in log
        assert message in console


def test_stock_runner_shows_all_of_it(tiny_runner, capsys):
    """What the filter is for: once this fails, upstream has changed its messages."""
    console, _ = run(tiny_runner, capsys, Runner)
    assert [message for message in FOR_THE_FILE_ONLY if message not in console] == []


def test_configs_can_name_it():
    assert RUNNERS.get("ConciseRunner") is ConciseRunner
