"""Judges a recipe on builds that its net has not seen: each build is left out of one training.

Neighbouring layers of a build are nearly alike, so a random split of frames says little. Here the
frames of one build are tested by a net that was trained on all others, and the regions of all
builds are counted together.
"""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from lwam_mm.deploy.compared_models import load_multi_branch
from lwam_mm.evaluation.regions import PREDICTED, TRUE, count_regions
from lwam_mm.evaluation.sure_regions import sure_regions
from lwam_mm.lab.pages.table import markdown_table
from lwam_mm.utils.atomic_files import write_atomically
from lwam_mm.utils.errors import UserError
from lwam_mm.utils.paths import configs_folder

TRAIN = configs_folder().parent / "tools" / "train.py"
SHARES = (0.1, 0.5)
MIN_AREA = 30
LEAST_PROBABILITIES = (0.0, 0.6, 0.7, 0.8, 0.9)


@dataclass
class RegionCounts:
    """Regions counted over the frames of all builds.

    Attributes:
        classes: Class names.
        counts: As :func:`~lwam_mm.evaluation.regions.count_regions` returns, summed.
        frames: Number of frames.
        clean: Likewise counts over the frames without a defect.
        clean_frames: Number of these.
        claimed: Share of the pixels of each clean frame that are called a defect, 0..1.
        sure: The same counts without the regions below a mean probability, by this.
    """

    classes: Sequence[str]
    counts: np.ndarray | int = 0
    frames: int = 0
    clean: np.ndarray | int = 0
    clean_frames: int = 0
    claimed: list[float] = field(default_factory=list)
    sure: dict[float, RegionCounts] = field(default_factory=dict)

    def add(
        self, truth: np.ndarray, prediction: np.ndarray, probabilities: np.ndarray | None = None
    ) -> None:
        """Count one frame.

        Args:
            truth: Labels, (H, W); 255 is not counted.
            prediction: Predicted classes, (H, W).
            probabilities: Each class's, 0..1, (C, H, W), to count for `sure` as well.
        """
        found = count_regions(truth, prediction, len(self.classes), SHARES, min_area=MIN_AREA)
        self.counts, self.frames = self.counts + found, self.frames + 1
        if not np.isin(truth, range(1, len(self.classes))).any():
            self.clean, self.clean_frames = self.clean + found, self.clean_frames + 1
            self.claimed.append(float((prediction != 0)[truth != 255].mean()))
        for least in LEAST_PROBABILITIES if probabilities is not None else ():
            counts = self.sure.setdefault(least, RegionCounts(self.classes))
            counts.add(truth, sure_regions(prediction, probabilities, least))

    def table(self) -> str:
        """Return the figures as a table in Markdown."""
        rows = []
        for index, name in enumerate([*self.classes[1:], "any defect"], start=1):
            true, predicted = self.counts[index, TRUE], self.counts[index, PREDICTED]
            row = [name, *(f"{found} of {true[0]}" for found in true[1:])]
            row.append(f"{(predicted[0] - predicted[1]) / self.frames:.2f}")
            if self.clean_frames:
                row.append(f"{self.clean[index, PREDICTED][0] / self.clean_frames:.2f}")
            rows.append(row)
        headings = ["class", *(f"found at {share:.0%}" for share in SHARES), "false a frame"]
        if self.clean_frames:
            headings.append("false a clean frame")
        return markdown_table(headings, rows)

    def probability_table(self) -> str:
        """Return what is found and what is false by the least mean probability of a region."""
        rows = []
        for least, counts in self.sure.items():
            found = [f"{true[1]} of {true[0]}" for true in counts.counts[1:, TRUE]]
            predicted = counts.counts[-1, PREDICTED]
            rows.append([f"{least:g}", *found])
            rows[-1].append(f"{(predicted[0] - predicted[1]) / counts.frames:.2f}")
            if counts.clean_frames:
                rows[-1].append(f"{counts.clean[-1, PREDICTED][0] / counts.clean_frames:.2f}")
        names = [f"{name} at {SHARES[0]:.0%}" for name in (*self.classes[1:], "any")]
        headings = ["least probability", *names, "false a frame"]
        if self.clean_frames:
            headings.append("false a clean frame")
        return markdown_table(headings, rows)


def read_builds(path: str | Path) -> dict[str, list[str]]:
    """Read which frames are of which build: ``FRAME BUILD`` in each line, ``#`` for comments.

    Returns:
        The frames' stems by build.

    Raises:
        UserError: A line is not of this form, a frame occurs twice, or there are not two builds.
    """
    builds: dict[str, list[str]] = {}
    seen: set[str] = set()
    for number, line in enumerate(Path(path).read_text("utf-8").splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or words[0] in seen:
            raise UserError(f"{path}, line {number}: {line!r}: write FRAME BUILD, each frame once")
        seen.add(words[0])
        builds.setdefault(words[1], []).append(words[0])
    if len(builds) < 2:
        raise UserError(f"{path}: there are {len(builds)} builds; leaving one out needs two")
    return builds


def leave_builds_out(
    config_file: str | Path,
    builds: dict[str, list[str]],
    work_dir: Path,
    options: Sequence[str] = (),
    progress: Callable[[str], None] = lambda line: None,
    only: Sequence[str] | None = None,
) -> RegionCounts:
    """Train once for each build without it, and count its regions.

    A training that is finished in ``work_dir`` is not repeated, one that has begun goes on.

    Args:
        config_file: A segmentor's config; its data set has all frames in one folder.
        builds: The frames' stems by build.
        work_dir: Folder of the trainings, one folder for each build.
        options: Further ``--cfg-options`` of the training.
        progress: Receives text at each step.
        only: The builds to leave out; all if None.

    Raises:
        UserError: A training failed, or there is no such build.
    """
    total: RegionCounts | None = None
    work_dir = work_dir.absolute()  # the data set takes a relative list as one in its own folder
    for build in builds if only is None else only:
        if build not in builds:
            raise UserError(f"{build}: no such build; there are {', '.join(builds)}")
        frames = builds[build]
        folder = work_dir / build
        others = [name for other, names in builds.items() if other != build for name in names]
        lists = {}
        for side, names in (("train", others), ("test", frames)):
            lists[side] = folder / f"{side}.txt"
            write_atomically(lists[side], ("\n".join(sorted(names)) + "\n").encode())
        progress(f"{build}: train on {len(others)} frames, test on {len(frames)}")
        sides = [
            f"{loader}_dataloader.dataset.ann_file={lists[side]}"
            for loader, side in (("train", "train"), ("val", "test"), ("test", "test"))
        ]
        command = [sys.executable, TRAIN, config_file, "--resume", "--work-dir", folder]
        command += ["--cfg-options", *sides, *options]
        with (folder / "train.log").open("a") as log:
            done = subprocess.run(map(str, command), stdout=log, stderr=log, check=False)
        if done.returncode:
            raise UserError(f"{folder / 'train.log'}: the training without {build} failed")
        checkpoint = Path((folder / "last_checkpoint").read_text().strip())
        config = Config.fromfile(folder / Path(config_file).name)
        total = count_test_regions(config, checkpoint, total)
        progress(f"so far:\n{total.table()}")
    assert total is not None
    return total


def count_test_regions(
    config: Config, checkpoint: Path, earlier: RegionCounts | None = None
) -> RegionCounts:
    """Count the regions of a config's test set.

    Args:
        config: A segmentor's config.
        checkpoint: Its weights.
        earlier: Counts to add to; they are not changed.
    """
    init_default_scope("mmseg")
    dataset = DATASETS.build(config.test_dataloader.dataset)
    model, _ = load_multi_branch(config, checkpoint)
    counts = copy.deepcopy(earlier) or RegionCounts(dataset.metainfo["classes"])
    for index in range(len(dataset)):
        data = dataset[index]
        with torch.no_grad():
            (result,) = model.test_step(pseudo_collate([data]))
        truth = data["data_samples"].gt_sem_seg.data[0].numpy()
        counts.add(
            truth,
            result.pred_sem_seg.data[0].cpu().numpy(),
            result.seg_logits.data.softmax(dim=0).cpu().numpy(),
        )
    return counts
