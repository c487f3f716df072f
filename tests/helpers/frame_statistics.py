"""Statistics of a powder-bed frame, drawn or photographed: lighting, grain and defect contrast."""

from __future__ import annotations

import cv2
import numpy as np

_LIGHT_SIGMA = 0.04


def estimate_light(image: np.ndarray) -> np.ndarray:
    """Estimate a frame's lighting by smoothing the grain away.

    Args:
        image: Grey levels, (height, width).

    Returns:
        float32 (height, width), grey levels.
    """
    sigma = max(3.0, _LIGHT_SIGMA * max(image.shape))
    return cv2.GaussianBlur(
        image.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE
    )


def measure_grain(image: np.ndarray, light: np.ndarray | None = None) -> tuple[float, float]:
    """Measure the grain of a patch of clean powder.

    Args:
        image: Grey levels of clean powder, (height, width).
        light: Its lighting, same shape; estimated if None.

    Returns:
        Standard deviation over mean, and the lag-1 autocorrelation (mean of both directions).
    """
    grain = image.astype(np.float32) / (estimate_light(image) if light is None else light) - 1
    along = np.corrcoef(grain[:, 1:].ravel(), grain[:, :-1].ravel())[0, 1]
    across = np.corrcoef(grain[1:].ravel(), grain[:-1].ravel())[0, 1]
    return float(grain.std()), float((along + across) / 2)


def measure_light_range(image: np.ndarray) -> float:
    """Return (brightest - darkest) / mean of the smoothed frame."""
    light = estimate_light(image)
    return float((light.max() - light.min()) / light.mean())


def measure_contrast(image: np.ndarray, clean: np.ndarray, where: np.ndarray) -> float:
    """Return the mean relative change of grey level that a defect makes.

    Args:
        image: Grey levels of the frame, (height, width).
        clean: The same frame without defects, same shape.
        where: bool, same shape, the defect's pixels; at least one.
    """
    return float(image[where].astype(np.float64).mean() / clean[where].mean() - 1)
