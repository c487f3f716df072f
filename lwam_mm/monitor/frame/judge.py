"""Judges the frames of one build, camera and step, one after the other."""

from collections import deque

import cv2
import numpy as np

from lwam_mm.monitor.frame.health import FrameHealth
from lwam_mm.monitor.frame.settings import FrameSettings
from lwam_mm.monitor.frame.view import find_shift, outline

_BLOCKS = (32, 32)
_LAST_FRAMES = 9  # the running median: so many frames, as blocks
_DRIFT_FRAMES = 20
_BLACK, _WHITE = 8, 250
# What a shift must explain before it is believed: plain noise explains up to 0.07.
_LEAST_GAIN = 0.1
_COMPARED = ("mean", "contrast", "sharpness", "dark", "bright")


class FrameJudge:
    """Says whether each frame can be inspected.

    It keeps figures and small pictures of some kB, not frames. After a restart, give it the build's
    first usable frames again and the last ones: it then judges as before.

    Use one for each build, camera and step: a layer after recoating and one after exposure look
    different.

    Args:
        settings: The limits.

    The values of a `FrameHealth`: ``mean`` (brightness, 0..255), ``contrast`` (standard deviation,
    0..255), ``sharpness`` (mean strength of what is finer than 1.5 px, as a share of the mean),
    ``dark`` and ``bright`` (share of black and of saturated pixels, 0..1), ``odd`` (share of odd
    blocks, 0..1), ``shift_x`` and ``shift_y`` (px), ``drift`` (smallest of the averaged brightness
    and contrast, as a share of the first frames').
    """

    def __init__(self, settings: FrameSettings | None = None) -> None:
        self._settings = settings or FrameSettings()
        self._size = self._settings.size
        self._first: list[dict[str, float]] = []
        self._outline: np.ndarray | None = None
        self._blocks: deque[np.ndarray] = deque(maxlen=_LAST_FRAMES)
        self._average: dict[str, float] = {}

    def judge(self, image: np.ndarray, roi: np.ndarray | None = None) -> FrameHealth:
        """Judge the build's next frame.

        Args:
            image: uint8 of shape (H, W), grey, or (H, W, 3), BGR.
            roi: bool of shape (H, W): where all but the view's shift is measured; None: everywhere.
                The shift is sought in the whole frame, whose edges do not change.

        Returns:
            The judgement.
        """
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        size = (grey.shape[1], grey.shape[0])
        if self._size is not None and size != self._size:
            return FrameHealth(
                False,
                f"the frame is {size[0]} x {size[1]} px, not {self._size[0]} x {self._size[1]}",
            )
        values = _measure(grey, roi)
        blocks = _block_means(grey, roi)
        edges = outline(grey)
        reason = self._why_blank(values)
        if reason is None and self._first:
            self._compare(values, blocks, edges, max(size) / max(edges.shape))
            reason = self._why_not(values)
        if reason is not None:
            return FrameHealth(False, reason, values)
        self._learn(values, blocks, edges, size)
        return FrameHealth(True, None, values, self._warning(values))

    def _why_blank(self, values: dict[str, float]) -> str | None:
        """Return why even the first frame of a build cannot be used."""
        if values["dark"] > 0.8:
            return f"the frame is dark: {values['dark']:.0%} of it are black"
        if values["bright"] > 0.5:
            return f"the frame is overexposed: {values['bright']:.0%} of it are saturated"
        if values["contrast"] < 1:
            return f"the frame is blank: its contrast is {values['contrast']:.1f}"
        return None

    def _reference(self, name: str) -> float:
        return float(np.median([first[name] for first in self._first]))

    def _compare(
        self, values: dict[str, float], blocks: np.ndarray, edges: np.ndarray, scale: float
    ) -> None:
        usual = np.median(np.stack(self._blocks), axis=0)
        level = max(float(np.nanmean(usual)), 1.0)
        with np.errstate(invalid="ignore"):
            odd = np.abs(blocks - usual) > self._settings.odd_level * level
        counted = max(1, int(np.isfinite(usual).sum()))
        values["odd"] = float(odd.sum()) / counted
        assert self._outline is not None
        x, y, gain = find_shift(self._outline / len(self._first), edges)
        believed = scale if gain > _LEAST_GAIN else 0.0
        values["shift_x"], values["shift_y"] = x * believed, y * believed

    def _why_not(self, values: dict[str, float]) -> str | None:
        limits = self._settings
        usual = {name: self._reference(name) for name in _COMPARED}
        if values["dark"] > usual["dark"] + limits.more_dark:
            return f"the frame is dark: {values['dark']:.0%} of it are black"
        if values["bright"] > usual["bright"] + limits.more_bright:
            return f"the frame is overexposed: {values['bright']:.0%} of it are saturated"
        ratio = values["mean"] / max(usual["mean"], 1e-6)
        if not 1 / limits.brightness <= ratio <= limits.brightness:
            return f"the exposure changed: the brightness is {ratio:.2f} of the first frames'"
        if values["odd"] > limits.odd_share:
            return f"something is in the image: {values['odd']:.0%} of it look different"
        shift = float(np.hypot(values["shift_x"], values["shift_y"]))
        if shift > limits.shift_px:
            return f"the camera moved by {shift:.1f} px since the first frames"
        sharp = values["sharpness"] / max(usual["sharpness"], 1e-6)
        if sharp < limits.sharpness:
            return f"the frame is blurred: its sharpness is {sharp:.2f} of the first frames'"
        return None

    def _learn(
        self,
        values: dict[str, float],
        blocks: np.ndarray,
        edges: np.ndarray,
        size: tuple[int, int],
    ) -> None:
        self._size = size
        self._blocks.append(blocks)
        if len(self._first) < self._settings.first_frames:
            self._first.append({name: values[name] for name in _COMPARED})
            self._outline = edges if self._outline is None else self._outline + edges
        drift = []
        for name in ("mean", "contrast"):
            last = self._average.get(name, values[name])
            self._average[name] = last + (values[name] - last) / _DRIFT_FRAMES
            drift.append(self._average[name] / max(self._reference(name), 1e-6))
        values["drift"] = min(drift)

    def _warning(self, values: dict[str, float]) -> str | None:
        if values["drift"] >= self._settings.drift:
            return None
        return (
            f"brightness or contrast fell slowly to {values['drift']:.0%} of the first frames': "
            "look for soot on the window"
        )


def _measure(grey: np.ndarray, roi: np.ndarray | None) -> dict[str, float]:
    mask = None if roi is None else roi.astype(np.uint8)
    histogram = cv2.calcHist([grey], [0], mask, [256], [0, 256]).ravel().astype(np.float64)
    total = max(float(histogram.sum()), 1.0)
    levels = np.arange(256)
    mean = float(histogram @ levels) / total
    contrast = float(np.sqrt(max(0.0, float(histogram @ levels**2) / total - mean**2)))
    fine = cv2.absdiff(grey, cv2.GaussianBlur(grey, (0, 0), 1.5))
    return {
        "mean": mean,
        "contrast": contrast,
        "sharpness": cv2.mean(fine, mask)[0] / max(mean, 1.0),
        "dark": float(histogram[: _BLACK + 1].sum()) / total,
        "bright": float(histogram[_WHITE:].sum()) / total,
    }


def _block_means(grey: np.ndarray, roi: np.ndarray | None) -> np.ndarray:
    """Return the blocks' means, float32 of shape (32, 32); NaN where the region does not reach."""
    if roi is None:
        return cv2.resize(grey, _BLOCKS, interpolation=cv2.INTER_AREA).astype(np.float32)
    weight = cv2.resize(roi.astype(np.float32), _BLOCKS, interpolation=cv2.INTER_AREA)
    inside = np.where(roi, grey, 0).astype(np.float32)
    total = cv2.resize(inside, _BLOCKS, interpolation=cv2.INTER_AREA)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 0.25, total / weight, np.nan).astype(np.float32)
