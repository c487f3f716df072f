import numpy as np
import pytest
from seen_layers import seen, spot

from lwam_mm.monitor.decide.calibrate import calibrate
from lwam_mm.monitor.decide.policy import Policy, Rule
from lwam_mm.monitor.decide.replay import replay
from lwam_mm.runtime import SettingError

RULES = Policy((Rule("Super", "critical"), Rule("Streaking")), background_layers=0)


def good_build(seed, layers=300, rate=0.5):
    """Regions that a model finds where nothing is: many small, few large, anywhere."""
    draw = np.random.default_rng(seed)
    return seen(
        *(
            tuple(
                spot(
                    1 + int(draw.exponential(20)),
                    *(int(at) for at in draw.integers(0, 5000, 2)),
                    name=str(draw.choice(["Super", "Streaking"])),
                )
                for _ in range(draw.poisson(rate))
            )
            for _ in range(layers)
        )
    )


def alarms(build, policy):
    return sum(len(decision.raised) for decision in replay(build, policy))


@pytest.mark.parametrize("budget", [0, 1, 4, 20])
def test_the_thresholds_keep_to_the_budget_and_are_no_larger_than_needed(budget):
    builds = [good_build(seed) for seed in range(4)]
    found = calibrate(builds, RULES, budget)
    assert found.alarms == sum(alarms(build, found.policy) for build in builds)
    assert found.alarms <= 4 * budget
    assert found.layers == 1200
    assert found.measured == pytest.approx(1000 * found.alarms / 1200)
    assert found.allowed == pytest.approx(1000 * budget / 300)
    if budget:
        assert found.alarms > 2 * budget  # not simply as high as possible


def test_what_is_expected_holds_on_builds_that_were_not_used():
    found = calibrate([good_build(seed) for seed in range(6)], RULES, 4)
    others = sum(alarms(good_build(seed), found.policy) for seed in range(100, 120))
    rate = 1000 * others / (20 * 300)
    assert rate < found.bound
    assert rate == pytest.approx(found.expected, rel=0.5)
    assert found.measured <= found.allowed


def test_one_build_gives_a_bound_but_no_expectation():
    found = calibrate([good_build(0)], RULES, 0)
    assert (found.alarms, found.expected) == (0, None)
    assert found.bound == pytest.approx(1000 * 3 / 300, rel=0.01)  # the rule of three
    text = found.summary()
    assert "expected not known: give two" in text
    assert "bound    9.99" in text
    assert f"Super, critical          {found.policy.rules[0].least_area_px:g} px" in text


def test_a_longer_build_must_raise_fewer_alarms_a_layer():
    builds = [good_build(seed) for seed in range(3)]
    short, long = (calibrate(builds, RULES, 4, layers_per_build=n) for n in (300, 3000))
    assert long.alarms < short.alarms
    assert long.policy.rules[0].least_area_px > short.policy.rules[0].least_area_px


def test_a_class_that_was_never_seen_keeps_its_threshold():
    rules = Policy((Rule("Super", least_area_px=77),), background_layers=0)
    found = calibrate([seen((), (), ())], rules, 1)
    assert found.policy == rules
    assert found.alarms == 0


@pytest.mark.parametrize(
    ("builds", "policy", "budget", "layers", "error"),
    [
        ([], RULES, 1, None, "no inspected layer"),
        ([seen(None, None)], RULES, 1, None, "no inspected layer"),
        ([seen(())], Policy(), 1, None, "no rule"),
        ([seen(())], RULES, -1, None, "budget is -1"),
        ([seen(())], RULES, float("nan"), None, "budget is nan"),
        ([seen(())], RULES, 1, 0, "layers_per_build is 0"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(builds, policy, budget, layers, error):
    with pytest.raises(SettingError, match=error):
        calibrate(builds, policy, budget, layers)


def test_what_is_expected_comes_from_builds_that_did_not_choose_the_thresholds():
    small, large = seen(spot(100), (), (), ()), seen((), spot(500), (), ())
    rules = Policy((Rule("Super"),), background_layers=0)
    found = calibrate([small, large], rules, 0)
    assert found.policy.rules[0].least_area_px == 501
    # The small build alone would have let the large one's region through.
    assert (found.measured, found.expected) == (0, 1000 / 8)
