from __future__ import annotations

import numpy as np
import pytest

from lwam_mm.datasets.synthetic.noise import generator, grain, smooth_noise, standardize


def lag_one(field: np.ndarray, axis: int) -> float:
    ahead, behind = (np.delete(field, index, axis).ravel() for index in (0, -1))
    return float(np.corrcoef(ahead, behind)[0, 1])


@pytest.mark.parametrize("wanted", [0.70, 0.78, 0.88])
@pytest.mark.parametrize("clump_share", [0.02, 0.15])
def test_grain_has_the_autocorrelation_asked_for(wanted, clump_share):
    field = grain(generator(1), (512, 512), wanted, clump_share)
    assert field.dtype == np.float32
    assert abs(field.mean()) < 0.02
    assert field.std() == pytest.approx(1, abs=0.05)
    assert lag_one(field, 0) == pytest.approx(wanted, abs=0.03)
    assert lag_one(field, 1) == pytest.approx(wanted, abs=0.03)


@pytest.mark.parametrize("shape", [(32, 32), (1, 200), (200, 1), (300, 170)])
@pytest.mark.parametrize("sigmas", [(0, 0), (0.7, 0.7), (60, 1.6), (5, 90)])
def test_smooth_noise_is_standardized_at_any_shape(shape, sigmas):
    field = smooth_noise(generator(2), shape, *sigmas)
    assert field.shape == shape
    assert field.dtype == np.float32
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-3)


def test_smooth_noise_is_longer_along_its_longer_axis():
    field = smooth_noise(generator(3), (400, 400), 16, 1.6)
    # Rows 8 px apart have nothing in common; columns 8 px apart nearly everything.
    far_rows = np.corrcoef(field[8:].ravel(), field[:-8].ravel())[0, 1]
    far_columns = np.corrcoef(field[:, 8:].ravel(), field[:, :-8].ravel())[0, 1]
    assert abs(far_rows) < 0.2
    assert far_columns > 0.85


def test_standardize_leaves_a_constant_at_zero():
    assert np.array_equal(standardize(np.full((3, 3), 7.0)), np.zeros((3, 3)))


def test_generators_of_different_keys_differ_and_of_equal_keys_agree():
    draws = [generator(*key).random() for key in [(1, 2), (1, 2), (2, 1), (1, 2, 0)]]
    assert draws[0] == draws[1]
    assert len(set(draws)) == 3
