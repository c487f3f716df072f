import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from lwam_mm.monitor.decide.rates import poisson_upper_bound


@settings(deadline=None)  # the machine may be busy
@given(st.integers(0, 3000), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_bound_is_that_of_garwood(count, confidence):
    assert poisson_upper_bound(count, confidence) == pytest.approx(
        chi2.ppf(confidence, 2 * count + 2) / 2, rel=1e-6
    )
