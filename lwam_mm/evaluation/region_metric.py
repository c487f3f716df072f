"""The metric that counts defects region by region, as a process engineer does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmseg.registry import METRICS
from prettytable import PrettyTable

from lwam_mm.evaluation.class_metric import ClassMetric
from lwam_mm.evaluation.regions import PREDICTED, TRUE, count_regions
from lwam_mm.evaluation.scores import check_same_size


@METRICS.register_module()
class RegionMetric(ClassMetric):
    """Share of the defect regions that are found, and number of false regions per image.

    A region is a connected set of pixels of one class other than class 0, the background, diagonal
    neighbours included, of at least ``min_area`` pixels. Ignored pixels do not count. At a share s,

    - a **true region is found** if at least s of its pixels are predicted as its class, and
    - a **predicted region is false** if less than s of its pixels are truly of its class. A single
      large blob can thus find a small defect and still be false.

    The scores for each share, written in percent (10 and 50 by default), are

    - ``RegionRecall10``: true regions that are found, in percent, over all classes together;
      ``RegionRecall10.<Class>`` for one class, left out if the ground truth has none of it;
    - ``FalseRegions10``: false regions per image, 0 or more; ``FalseRegions10.<Class>``;
    - ``DefectRecall10`` and ``FalseDefects10``: the same with all classes but the background
      taken as one, so that a defect can be found as another class.

    Args:
        shares: Shares s, each greater than 0 and at most 1.
        min_area: Smallest region that counts, in pixels of the ground truth.
        **kwargs: Those of :class:`~lwam_mm.evaluation.class_metric.ClassMetric`.

    Raises:
        ValueError: ``shares`` is empty or one is out of range, or ``min_area`` is less than 1.

    Example:
        >>> val_evaluator = [dict(type="SegmentationMetric"), dict(type="RegionMetric")]
    """

    def __init__(
        self, shares: Sequence[float] = (0.1, 0.5), min_area: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not shares or not all(0 < share <= 1 for share in shares):
            raise ValueError(
                f"shares={shares!r}: name one or more, each greater than 0 and at most 1, such as "
                "0.5 for half of a region's pixels"
            )
        if min_area < 1:
            raise ValueError(f"min_area={min_area}: a region has at least 1 pixel")
        self.shares = tuple(shares)
        self.min_area = min_area

    def count(
        self, truth: np.ndarray, prediction: np.ndarray, truth_name: str, image_name: str
    ) -> np.ndarray:
        """Count an image's regions; see :func:`~lwam_mm.evaluation.regions.count_regions`."""
        check_same_size(truth, prediction, truth_name, image_name)
        return count_regions(
            truth,
            prediction,
            len(self.classes),
            self.shares,
            ignore_index=self.ignore_index,
            min_area=self.min_area,
        )

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """Sum the counts of all images, log a table and return the scores (see the class)."""
        counts = np.sum(results, axis=0, dtype=np.int64)
        named = dict(zip(self.classes[1:], counts[1:-1], strict=True))
        any_defect = counts[-1]
        scores: dict[str, float] = {}
        for index, share in enumerate(self.shares, start=1):
            percent = f"{100 * share:g}"
            for what, count in (("Region", sum(named.values())), ("Defect", any_defect)):
                scores[f"{what}Recall{percent}"] = _recall(count, index)
                scores[f"False{what}s{percent}"] = _false(count, index) / len(results)
            for name, count in named.items():
                scores[f"RegionRecall{percent}.{name}"] = _recall(count, index)
                scores[f"FalseRegions{percent}.{name}"] = _false(count, index) / len(results)
        print_log(f"regions:\n{self._table(named, any_defect, len(results))}", logger="current")
        return self.defined(scores)

    def _table(self, named: dict[str, np.ndarray], any_defect: np.ndarray, images: int) -> str:
        headings = [
            heading
            for share in self.shares
            for heading in (f"Found at {share:.0%}", f"False per image at {share:.0%}")
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


def _recall(count: np.ndarray, index: int) -> float:
    regions, found = count[TRUE, 0], count[TRUE, index]
    return float(100 * found / regions) if regions else math.nan


def _false(count: np.ndarray, index: int) -> float:
    return float(count[PREDICTED, 0] - count[PREDICTED, index])
