"""How far a camera's view has moved."""

import cv2
import numpy as np

# Edges of some pixels' width are what a view is known by; more pixels cost time and gain little.
_SIDE = 256


def outline(grey: np.ndarray) -> np.ndarray:
    """Return the strength of a frame's edges.

    Edges stay when the light changes. The strongest are cut off, because a molten part outshines
    everything that does not move.

    Args:
        grey: uint8 of shape (H, W).

    Returns:
        float32, the longer side 256.
    """
    scale = _SIDE / max(grey.shape)
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    smooth = cv2.GaussianBlur(small, (0, 0), 1)
    edges = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    strongest = np.partition(edges.ravel(), int(edges.size * 0.995))[int(edges.size * 0.995)]
    return np.asarray(np.minimum(edges, strongest))


def find_shift(reference: np.ndarray, found: np.ndarray) -> tuple[float, float, float]:
    """Find how far a view has moved against another.

    The peak of the cross-correlation; on plain powder, where phase correlation sees noise alone, it
    still holds on to the few edges there are.

    Args:
        reference: Result of `outline`, or a mean of them.
        found: Result of `outline`, of the same shape.

    Returns:
        Shift in x and y, px of the outlines; and what the shift explains: the correlation
        coefficient with the shift less that without, -2..2.
    """
    first, second = reference - reference.mean(), found - found.mean()
    spectrum = np.conj(np.fft.rfft2(first)) * np.fft.rfft2(second)
    peaks = np.fft.irfft2(spectrum, s=first.shape)
    row, column = (int(value) for value in np.unravel_index(peaks.argmax(), peaks.shape))
    x = column + _between(np.roll(peaks[row], 1 - column)[:3])
    y = row + _between(np.roll(peaks[:, column], 1 - row)[:3])
    height, width = peaks.shape
    x, y = (x + width / 2) % width - width / 2, (y + height / 2) % height - height / 2
    gain = _correlation(*_overlap(first, second, round(x), round(y)))
    return x, y, gain - _correlation(first, second)


def _between(values: np.ndarray) -> float:
    """Return where a parabola through three values has its peak, -0.5..0.5 from the middle."""
    if len(values) < 3:  # a frame of hardly any width
        return 0.0
    left, middle, right = (float(value) for value in values)
    bend = left - 2 * middle + right
    return 0.5 * (left - right) / bend if bend < 0 else 0.0


def _overlap(
    first: np.ndarray, second: np.ndarray, x: int, y: int
) -> tuple[np.ndarray, np.ndarray]:
    height, width = first.shape
    return (
        first[max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)],
        second[max(0, y) : height + min(0, y), max(0, x) : width + min(0, x)],
    )


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first - first.mean(), second - second.mean()
    size = float(np.sqrt((first * first).sum(dtype=np.float64) * (second * second).sum()))
    return float((first * second).sum(dtype=np.float64)) / size if size > 0 else 0.0
