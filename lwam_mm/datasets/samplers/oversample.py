"""Oversampling of rare classes."""

import math
from collections import Counter
from pathlib import Path

import numpy as np

from lwam_mm.datasets.classes import IGNORE_INDEX
from lwam_mm.datasets.decode import load_mask


def repeat_rare(samples: list[dict], threshold: float) -> list[dict]:
    """List a sample ``ceil(sqrt(threshold / f))`` times, and at least once.

    ``f`` is the share of samples with its rarest class; without a mask it is listed once.
    """
    classes = [_classes(sample) for sample in samples]
    counts = Counter(index for present in classes for index in present)
    repeated = []
    for sample, present in zip(samples, classes, strict=True):
        rarest = min((counts[index] for index in present), default=len(samples))
        times = math.ceil(math.sqrt(threshold * len(samples) / rarest))
        repeated += [sample] * max(1, times)  # the data set hands out copies
    return repeated


def _classes(sample: dict) -> set[int]:
    if "seg_map_path" not in sample:
        return set()
    mask = load_mask(Path(sample["seg_map_path"]), sample["num_classes"])
    return set(np.unique(mask).tolist()) - {IGNORE_INDEX}
