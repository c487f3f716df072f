from __future__ import annotations

import pytest

from lwam_mm.lab.studies.evaluate_run import _require_finished, checkpoint_of
from lwam_mm.lab.studies.study import StudyError


def test_last_is_what_mmengine_names_and_best_the_newest(tmp_path):
    for name in ("epoch_80.pth", "best_mIoU_epoch_9.pth", "best_mIoU_epoch_10.pth"):
        (tmp_path / name).touch()
    with pytest.raises(StudyError, match="has no last checkpoint"):
        checkpoint_of(tmp_path, "last")
    # The folder may have been moved since: the name counts.
    (tmp_path / "last_checkpoint").write_text("/elsewhere/epoch_80.pth\n")
    assert checkpoint_of(tmp_path, "last").name == "epoch_80.pth"
    assert checkpoint_of(tmp_path, "best").name == "best_mIoU_epoch_10.pth"
    (tmp_path / "epoch_80.pth").unlink()
    with pytest.raises(StudyError):
        checkpoint_of(tmp_path, "last")


@pytest.mark.parametrize(
    ("train_cfg", "end", "earlier"),
    [
        (dict(max_epochs=80), "epoch_80.pth", ["epoch_79.pth", "iter_5000.pth"]),
        (dict(max_iters=400), "iter_400.pth", ["iter_200.pth"]),
    ],
)
def test_a_training_that_stopped_early_is_not_judged(tmp_path, train_cfg, end, earlier):
    _require_finished(train_cfg, {}, tmp_path / end)
    for name in earlier:
        with pytest.raises(StudyError, match=f"stopped at {name}, before {end}"):
            _require_finished(train_cfg, {}, tmp_path / name)
        _require_finished(train_cfg, dict(stop=dict(type="EarlyStoppingHook")), tmp_path / name)
