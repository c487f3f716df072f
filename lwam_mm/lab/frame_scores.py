"""What a net says of frames that are only known to be clean or streaked, without masks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lwam_mm.runtime.images import read_image
from lwam_mm.runtime.region_of_interest import RegionOfInterest
from lwam_mm.utils.errors import UserError

LINE = (129, 3)
"""Length and width, px, of the piece of a line that the streak score looks for."""

Segment = Callable[[np.ndarray], np.ndarray]
"""Returns an image's probabilities, float32 (C, H, W); the image is uint8 (H, W, 3), BGR."""


@dataclass(frozen=True)
class FrameScores:
    """What a net says of one frame.

    Attributes:
        path: The frame.
        claimed: Share of its pixels that are called a defect, 0..1.
        streak: Its streak score, 0..1; see :func:`streak_score`.
    """

    path: Path
    claimed: float
    streak: float


def score_frames(
    segment: Segment,
    frames: Iterable[Path],
    streaking: int,
    roi: RegionOfInterest | None = None,
) -> list[FrameScores]:
    """Score frames one after the other.

    Args:
        segment: The net.
        frames: Image files.
        streaking: Class index of recoater streaking.
        roi: The pixels that count; all if None.
    """
    scores = []
    for path in frames:
        probabilities = segment(read_image(path))
        size = probabilities.shape[1:]
        inside = np.ones(size, bool) if roi is None else roi.inside(size)
        defect = (probabilities.argmax(axis=0) != 0)[inside]
        streak = streak_score(np.where(inside, probabilities[streaking], 0))
        scores.append(FrameScores(path, float(defect.mean()), streak))
    return scores


def streak_score(probability: np.ndarray) -> float:
    """Return the largest mean probability of streaking along a piece of a line.

    The piece has the size :data:`LINE` and lies along a row or a column, since cameras are mounted
    either way. Specks that look like a streak for a few pixels hardly count.

    Args:
        probability: Of streaking, float32 (H, W), 0..1.

    Example:
        >>> frame = np.zeros((200, 300), np.float32)
        >>> frame[50:53, 100:300] = 0.75
        >>> streak_score(frame)
        0.75
    """
    filled = np.ascontiguousarray(probability, np.float32)
    best = 0.0
    for size in (LINE, LINE[::-1]):
        means = cv2.blur(filled, size, borderType=cv2.BORDER_CONSTANT)
        best = max(best, float(means.max()))
    return best


def auroc(negative: Sequence[float], positive: Sequence[float]) -> float:
    """Return how often a positive has a higher score than a negative, 0..1; a tie counts half.

    This is the area under the curve of true over false positive rate.

    Raises:
        UserError: One side is empty.

    Example:
        >>> auroc(negative=[0.1, 0.3], positive=[0.2, 0.4])
        0.75
    """
    if not len(negative) or not len(positive):
        raise UserError(
            f"{len(negative)} negative and {len(positive)} positive frames: give at least one of "
            "each"
        )
    higher = np.sign(np.asarray(positive)[:, None] - np.asarray(negative)[None, :])
    return float((1 + higher.mean()) / 2)
