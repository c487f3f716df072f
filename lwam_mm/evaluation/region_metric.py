"""The metric that counts defects as a process engineer does: region by region."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmseg.registry import METRICS
from prettytable import PrettyTable

from lwam_mm.evaluation.class_metric import ClassMetric, labelled_pairs
from lwam_mm.evaluation.regions import PREDICTED, TRUE, count_regions


@METRICS.register_module()
class RegionMetric(ClassMetric):
    """How many defect regions are found, and how many findings an image are none.

    A region is a connected set of pixels of one class other than the background, diagonal
    neighbours included, of at least ``min_area`` pixels; ignored pixels count nowhere. At a share
    of s

    - a **true region is found** if at least s of its pixels are predicted as its class, and
    - a **predicted region is false** if less than s of its own pixels are truly of its class
      (so that one large blob may find a small defect and be false all the same).

    Returned are for each share, written in percent (10 and 50 by default):

    - ``RegionRecall10``: true regions that are found, in percent, over all classes together;
      ``RegionRecall10.<Class>`` for one class, left out where the truth has none of it;
    - ``FalseRegions10``: false regions an image, a number from 0 on; ``FalseRegions10.<Class>``;
    - ``DefectRecall10`` and ``FalseDefects10``: the same with all classes but the background
      taken as one, so that a defect may be found under another one's name.

    Args:
        shares: Shares s, each greater than 0 and at most 1.
        min_area: Smallest region that counts, in pixels of the ground truth's size.
        background: Index of the class that has no regions.
        ignore_index: Ground-truth value of pixels that are not counted.
        collect_device: How ranks exchange their counts: ``"gpu"``, as they exchange gradients, on
            processors too; ``"cpu"``, in files of a folder that all of them share.
        prefix: Put before each key with a slash between; none by default.
        collect_dir: That folder.

    Raises:
        ValueError: ``shares`` is empty or one is out of range; ``min_area`` is less than 1.

    Example:
        >>> val_evaluator = [dict(type="SegmentationMetric"), dict(type="RegionMetric")]
    """

    def __init__(
        self,
        shares: Sequence[float] = (0.1, 0.5),
        min_area: int = 1,
        background: int = 0,
        ignore_index: int = 255,
        collect_device: str = "gpu",
        prefix: str | None = None,
        collect_dir: str | Path | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if not shares or not all(0 < share <= 1 for share in shares):
            raise ValueError(
                f"shares={shares!r}: give one or more, each greater than 0 and at most 1, such as "
                "0.5 for half of a region's pixels"
            )
        if min_area < 1:
            raise ValueError(f"min_area={min_area}: a region has at least 1 pixel")
        self.shares = tuple(shares)
        self.min_area = min_area
        self.background = background
        self.ignore_index = ignore_index

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the regions of one batch.

        Args:
            data_batch: Not looked at.
            data_samples: As those of
                :meth:`~lwam_mm.evaluation.segmentation_metric.SegmentationMetric.process`.

        Raises:
            ValueError: If sizes differ or a sample has no ground truth; the message names the
                file.
        """
        for pair in labelled_pairs(data_samples):
            if pair.truth.shape != pair.prediction.shape:
                raise ValueError(
                    f"{pair.truth_name} has shape {pair.truth.shape}, but the prediction for "
                    f"{pair.image_name} has {pair.prediction.shape}. Predict at the ground "
                    "truth's size."
                )
            self.results.append(
                count_regions(
                    pair.truth,
                    pair.prediction,
                    len(self.classes),
                    self.shares,
                    background=self.background,
                    ignore_index=self.ignore_index,
                    min_area=self.min_area,
                )
            )

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """Sum the counts of all images, log a table and return the figures.

        Args:
            results: One array of :func:`~lwam_mm.evaluation.regions.count_regions` an image.

        Returns:
            The figures by name (see the class), without undefined ones.
        """
        counts = np.sum(results, axis=0, dtype=np.int64)
        *classes, any_defect = counts
        named = {
            name: count
            for index, (name, count) in enumerate(zip(self.classes, classes, strict=True))
            if index != self.background
        }
        figures: dict[str, float | None] = {}
        for index, share in enumerate(self.shares, start=1):
            percent = f"{100 * share:g}"
            for what, count in (("Region", sum(named.values())), ("Defect", any_defect)):
                figures[f"{what}Recall{percent}"] = _recall(count, index)
                figures[f"False{what}s{percent}"] = _false(count, index) / len(results)
            for name, count in named.items():
                figures[f"RegionRecall{percent}.{name}"] = _recall(count, index)
                figures[f"FalseRegions{percent}.{name}"] = _false(count, index) / len(results)
        self.forget([key for key, value in figures.items() if value is None])
        print_log(f"regions:\n{self._table(named, any_defect, len(results))}", logger="current")
        return {key: value for key, value in figures.items() if value is not None}

    def _table(self, named: dict[str, np.ndarray], any_defect: np.ndarray, images: int) -> str:
        headings = [
            heading
            for share in self.shares
            for heading in (f"Found at {share:.0%}", f"False an image at {share:.0%}")
        ]
        table = PrettyTable(["Class", "True regions", *headings])
        table.align = "r"
        table.align["Class"] = "l"
        for name, count in {**named, "any defect": any_defect}.items():
            cells = []
            for index in range(1, 1 + len(self.shares)):
                cells += [f"{count[TRUE, index]}", f"{_false(count, index) / images:.2f}"]
            table.add_row([name, f"{count[TRUE, 0]}", *cells])
        return table.get_string()


def _recall(count: np.ndarray, index: int) -> float | None:
    regions, found = count[TRUE, 0], count[TRUE, index]
    return float(100 * found / regions) if regions else None


def _false(count: np.ndarray, index: int) -> float:
    return float(count[PREDICTED, 0] - count[PREDICTED, index])
