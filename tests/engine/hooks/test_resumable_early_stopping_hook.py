from __future__ import annotations

import pytest

EARLY = dict(type="ResumableEarlyStoppingHook", monitor="mIoU", rule="greater", patience=3)


def run(tiny_runner, scores: list[float], hook: dict = EARLY, **options) -> int:
    """Train for up to ten epochs, and return how many there were in the end."""
    runner = tiny_runner(
        scores,
        epochs=options.pop("epochs", 10),
        checkpoint=dict(type="ResumableCheckpointsHook", interval=1),
        custom_hooks=[hook],
        **options,
    )
    runner.train()
    return runner.epoch


def test_a_resumed_run_goes_on_counting(tiny_runner):
    assert run(tiny_runner, [50, 40, 40], epochs=3) == 3
    assert run(tiny_runner, [45] * 9, resume=True) == 4  # the third without improvement


def test_upstreams_counts_from_zero(tiny_runner):
    """What the hook is for."""
    stock = EARLY | dict(type="EarlyStoppingHook")
    assert run(tiny_runner, [50, 40, 40], stock, epochs=3) == 3
    assert run(tiny_runner, [45] * 9, stock, resume=True) > 4


def test_a_run_that_stopped_stays_stopped_unless_it_is_asked_for_more(tiny_runner):
    assert run(tiny_runner, [50, 40, 40, 40]) == 4
    assert run(tiny_runner, [99], resume=True) == 4
    assert run(tiny_runner, [40] * 9, EARLY | dict(patience=5), resume=True) == 6


@pytest.mark.parametrize("kind", ["weights", "other hook"])
def test_nothing_is_taken_over_from_elsewhere(tiny_runner, tmp_path, kind):
    assert run(tiny_runner, [50, 40, 40], epochs=3) == 3
    if kind == "weights":
        options = dict(load_from=str(tmp_path / "work" / "epoch_3.pth"), work_dir=tmp_path / "new")
        assert run(tiny_runner, [10] * 9, **options) == 4
    else:
        accuracy = EARLY | dict(monitor="mIoU", patience=2)
        assert run(tiny_runner, [50, 60, 70, 80], accuracy, resume=True, epochs=4) == 4


def test_a_checkpoint_of_the_stock_hook_resumes_with_a_new_count(tiny_runner):
    assert run(tiny_runner, [50, 40, 40], EARLY | dict(type="EarlyStoppingHook"), epochs=3) == 3
    assert run(tiny_runner, [45] * 9, resume=True) == 7  # the first of them is the best so far
