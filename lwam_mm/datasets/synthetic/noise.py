"""Random fields of the powder bed, with mean 0 and standard deviation 1."""

import cv2
import numpy as np

# Noise with a wider blur is drawn on a coarser raster and enlarged: it looks the same, much sooner.
_DIRECT_SIGMA = 3.0
# Clumps of powder, a few pixels across, are the coarse part of the grain.
_CLUMP_SIGMA = 3.0
_GLITTER = 0.05


def generator(*key: int) -> np.random.Generator:
    """Return the random generator of a key of whole numbers, such as seed, build, layer."""
    # SeedSequence treats (1, 2) and (1, 2, 0) alike; the length distinguishes them.
    return np.random.default_rng(np.random.SeedSequence((len(key), *key)))


def standardize(field: np.ndarray) -> np.ndarray:
    """Shift and scale a field to mean 0 and standard deviation 1 (a constant one to 0)."""
    field = field - field.mean()
    spread = float(field.std())
    return field / spread if spread > 1e-6 else field


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], sigma_x: float, sigma_y: float
) -> np.ndarray:
    """Draw Gaussian noise blurred by ``sigma_x`` along the width and ``sigma_y`` along the height.

    All lengths in px; the result is float32, with mean 0 and standard deviation 1.
    """
    height, width = shape
    step_x = max(1, min(int(sigma_x / _DIRECT_SIGMA), width // 2))
    step_y = max(1, min(int(sigma_y / _DIRECT_SIGMA), height // 2))
    # Two more cells than needed are drawn and cut off, since enlarging distorts the border.
    coarse = (-(-height // step_y) + 2, -(-width // step_x) + 2)
    field = rng.standard_normal(coarse, dtype=np.float32)
    blur_x, blur_y = sigma_x / step_x, sigma_y / step_y
    if max(blur_x, blur_y) > 0:
        field = cv2.GaussianBlur(field, (0, 0), max(blur_x, 1e-3), sigmaY=max(blur_y, 1e-3))
    if step_x > 1 or step_y > 1:
        size = (coarse[1] * step_x, coarse[0] * step_y)
        field = cv2.resize(field, size, interpolation=cv2.INTER_CUBIC)
    return standardize(field[step_y : step_y + height, step_x : step_x + width])


def grain(
    rng: np.random.Generator, shape: tuple[int, int], autocorrelation: float, clump_share: float
) -> np.ndarray:
    """Draw powder grain of this lag-1 autocorrelation, float32 of mean 0 and standard deviation 1.

    Clumps carry ``clump_share`` of the variance, 0 to 0.3.
    """
    # White noise blurred by sigma has the lag-1 autocorrelation exp(-1 / (4 sigma^2)).
    clump_correlation = np.exp(-1 / (4 * _CLUMP_SIGMA**2))
    fine_correlation = (autocorrelation - clump_share * clump_correlation) / (1 - clump_share)
    fine_sigma = float(np.sqrt(-1 / (4 * np.log(np.clip(fine_correlation, 0.3, 0.95)))))
    fine = standardize(
        cv2.GaussianBlur(rng.standard_normal(shape, dtype=np.float32), (0, 0), fine_sigma)
    )
    clumps = smooth_noise(rng, shape, _CLUMP_SIGMA, _CLUMP_SIGMA)
    mixed = np.float32(np.sqrt(1 - clump_share)) * fine
    mixed += np.float32(np.sqrt(clump_share)) * clumps
    # Powder glitters: its grey levels have heavier tails than Gaussian noise.
    return standardize(mixed * (1 + np.float32(_GLITTER) * mixed**2))
