from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seen_layers import seen, spot

from lwam_mm.monitor.decide.decider import Decider
from lwam_mm.monitor.decide.decision import SeenLayer
from lwam_mm.monitor.decide.policy import Policy, Rule
from lwam_mm.monitor.frame.health import FrameHealth


def policy(*rules, **more):
    return Policy(rules, **{"background_layers": 0, **more})


SUPER = Rule("Super", "critical", least_area_px=50, layers=2, of=3, end_after=2)


def verdicts(rules, layers):
    decider = Decider(rules)
    return [decider.decide(layer) for layer in layers]


def test_an_alarm_needs_k_of_the_last_n_layers_at_the_same_place():
    big, small = spot(60), spot(10)
    found = verdicts(policy(SUPER), seen(big, small, (), big, small, big))
    assert [d.verdict for d in found] == ["ok", "ok", "ok", "ok", "ok", "critical"]
    elsewhere = verdicts(policy(SUPER), seen(big, spot(60, x=400), spot(60, x=700)))
    assert [d.verdict for d in elsewhere] == ["ok"] * 3
    (alarm,) = found[-1].raised
    assert (alarm.kind, alarm.severity, alarm.class_name) == ("defect", "critical", "Super")
    assert alarm.message == "Super: 60 px at (105, 105) px, in 2 of the last 3 layers"


def test_an_alarm_ends_by_hysteresis_and_is_raised_once():
    big, half, small = spot(60), spot(26), spot(20)
    layers = seen(big, big, half, small, half, small, small, big, big)
    found = verdicts(policy(SUPER), layers)
    assert [d.layer for d in found if d.raised] == [2, 9]
    (ended,) = [alarm for d in found for alarm in d.ended]
    assert (ended.raised_layer, ended.ended_layer) == (2, 7)
    assert [d.verdict for d in found[2:7]] == ["critical", "ok", "critical", "ok", "ok"]


def test_a_layer_that_was_not_inspected_is_neither_evidence_nor_clean():
    big = spot(60)
    found = verdicts(policy(SUPER), seen(big, None, None, None, big, None, None, None))
    assert [d.layer for d in found if d.raised] == [5]
    assert not any(d.ended for d in found)
    assert found[1].verdict == "not_inspected"
    assert found[1].reason


def test_a_missed_deadline_is_a_reason_but_no_fault_of_the_camera():
    late = SeenLayer(1, None, reason="no answer within 8 s")
    (decision,) = verdicts(policy(SUPER), [late])
    assert (decision.verdict, decision.reason, decision.raised) == (
        "not_inspected",
        "no answer within 8 s",
        (),
    )


def test_regions_of_an_unusable_frame_are_not_believed():
    layer = SeenLayer(1, (spot(999),), FrameHealth(False, "the frame is dark"))
    rule = Rule("Super", "critical")
    (decision,) = verdicts(policy(rule, camera_severity="critical"), [layer])
    assert decision.verdict == "not_inspected"
    assert decision.reason == "the frame is dark"
    assert [(a.kind, a.severity) for a in decision.raised] == [("camera", "critical")]


def test_area_probability_and_parts_count_as_the_rule_says():
    def met(rule, *regions):
        (decision,) = verdicts(policy(rule), seen(regions))
        return bool(decision.raised)

    rule = Rule("Super", least_area_px=50, least_area_mm2=2, least_probability=0.7, over_part=2)
    assert met(rule, spot(50, area_mm2=2.0, mean_probability=0.7))
    assert not met(rule, spot(49, area_mm2=2.0, mean_probability=0.7))
    assert not met(rule, spot(50, area_mm2=1.9, mean_probability=0.7))
    assert not met(rule, spot(50, area_mm2=2.0, mean_probability=0.69))
    assert met(rule, spot(25, area_mm2=1.0, mean_probability=0.7, part_distance_mm=0.0))
    assert not met(rule, spot(25, area_mm2=1.0, mean_probability=0.7, part_distance_mm=0.1))
    assert met(rule, spot(50))  # what is not known keeps nothing quiet
    assert not met(rule, spot(500, name="Streaking"))
    assert not met(rule, spot(500, background=True))


def test_parts_of_one_place_add_up():
    rule = Rule("Super", least_area_px=50)
    found = verdicts(policy(rule), seen(spot(40), (spot(30), spot(30, x=104))))
    assert [d.verdict for d in found] == ["ok", "minor"]


def test_minor_and_critical_rules_of_a_class_are_both_followed():
    rules = policy(Rule("Super", "minor", 10), Rule("Super", "critical", 100))
    found = verdicts(rules, seen(spot(20), spot(200), spot(20)))
    assert [d.verdict for d in found] == ["minor", "critical", "minor"]
    assert [a.severity for d in found for a in d.raised] == ["minor", "critical"]


def test_while_the_background_is_learned_alarms_wait():
    rules = policy(Rule("Super", "critical", 10), background_layers=2)
    defect = verdicts(rules, seen(spot(20), spot(20), spot(20)))
    assert [d.verdict for d in defect] == ["minor", "minor", "critical"]
    stain = replace(spot(20), background=True)
    found = verdicts(rules, seen(spot(20), spot(20), stain, stain))
    assert [d.verdict for d in found] == ["minor", "minor", "ok", "ok"]
    assert not any(d.raised for d in found)


def test_a_late_layer_is_judged_by_itself_and_disturbs_nothing():
    rules = policy(SUPER, Rule("Streaking", "critical", 10, end_after=2))
    layers = seen(spot(60), (), spot(60), (), None, ())
    late = SeenLayer(2, (spot(60), spot(20, name="Streaking")))
    decider, plain = Decider(rules), Decider(rules)
    for layer in layers:
        found, expected = decider.decide(layer), plain.decide(layer)
        # Its alarm ends after two inspected layers more, like others of the rule.
        ended = [alarm for alarm in found.ended if alarm.class_name == "Streaking"]
        assert [(alarm.raised_layer, alarm.ended_layer) for alarm in ended] == (
            [(2, 6)] if layer.number == 6 else []
        )
        assert replace(found, ended=expected.ended) == expected
        if layer.number == 3:
            decision = decider.decide(late)
            assert decision.verdict == "critical"
            (alarm,) = decision.raised
            assert (alarm.class_name, alarm.ended_layer, alarm.track_id) == (
                *("Streaking", None, None),
            )
            assert alarm in decider.open_alarms
            assert [region.track_id for region in decision.regions] == [None, None]
    (decision,) = verdicts(policy(SUPER), seen(()))
    assert Decider(policy(SUPER), seen((), ())).decide(SeenLayer(1, (spot(60),))).verdict == "minor"


def test_after_a_number_that_is_too_high_layers_are_soon_followed_again():
    rules = policy(SUPER)
    numbers = [5, 6, 900, 7, 8, 9, 10, 11]
    found = verdicts(rules, [SeenLayer(number, (spot(60),)) for number in numbers])
    # Those that come late are judged by themselves, and then the rule over layers holds again.
    assert [d.verdict for d in found] == [*("ok", "critical", "critical", "minor", "minor")] + [
        "critical"
    ] * 3


def test_of_several_alarms_of_late_layers_none_stays_open_after_a_change_of_the_rules():
    high, low = Rule("Super", "critical", 70), Rule("Super", "critical", 20)
    layers = [*seen((), ()), SeenLayer(1, (spot(80), spot(40, x=500), spot(30, x=800)))]
    before = Decider(policy(low), layers).open_alarms
    assert len(before) == 3
    decider = Decider(policy(high), layers)
    decider.take_over(before)
    ended = [alarm for n in (3, 4, 5) for alarm in decider.decide(SeenLayer(n, ())).ended]
    assert len(ended) == 3
    decider = Decider(policy(low), layers)
    decider.take_over(before[:1])
    decisions = [decider.decide(SeenLayer(n, ())) for n in (3, 4, 5)]
    assert sum(len(d.raised) for d in decisions) == 2
    assert sum(len(d.ended) for d in decisions) == 3


def test_tracks_tell_their_state_after_the_layer():
    found = verdicts(policy(SUPER), seen(spot(60), spot(70), (), (), ()))
    assert [(t.id, t.layers, t.max_area_px, t.ended) for d in found for t in d.tracks] == [
        (1, 1, 60, False),
        (1, 2, 70, False),
        (1, 2, 70, True),
    ]


REGION = st.builds(spot, st.integers(1, 100), st.sampled_from([100, 108, 300]), st.just(100))
LAYER = st.one_of(st.none(), st.lists(REGION, max_size=3).map(tuple))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(LAYER, st.integers(0, 4)), max_size=14), st.integers(0, 14))
def test_a_decider_that_starts_again_from_the_record_goes_on_as_before(layers, cut):
    rules = policy(
        Rule("Super", "minor", 20),
        Rule("Super", "critical", 50, layers=2, of=3),
        background_layers=2,
    )
    # Some layers come late: their number was passed already. Some numbers are far too high.
    numbered = [
        SeenLayer(2 * at - 3 * (back == 3) + 90 * (back == 4), one, again=back == 3)
        for at, (one, back) in enumerate(layers)
    ]
    whole = Decider(rules)
    decisions = [whole.decide(layer) for layer in numbered]
    # The record holds the regions as they were decided.
    recorded = [
        replace(layer, regions=None if layer.regions is None else decision.regions)
        for layer, decision in zip(numbered[:cut], decisions, strict=False)
    ]
    again = Decider(rules, recorded)
    assert [again.decide(layer) for layer in numbered[cut:]] == decisions[cut:]
    assert again.open_alarms == whole.open_alarms
    raised = [alarm for d in decisions for alarm in d.raised if alarm.ended_layer is None]
    ended = [replace(alarm, ended_layer=None) for d in decisions for alarm in d.ended]
    assert sorted(map(repr, raised)) == sorted(map(repr, [*ended, *whole.open_alarms]))


def test_memory_does_not_grow_with_the_layers():
    decider = Decider(policy(SUPER))
    for number in range(2000):
        decider.decide(SeenLayer(number, (spot(60, x=20 * (number % 50)), spot(60, x=5000))))
    assert len(decider._watches) < 60
    assert len(decider._tracker.live) < 60


@pytest.mark.parametrize("verdict", ["ok", "minor"])
def test_no_rule_no_alarm_but_a_verdict(verdict):
    rules = () if verdict == "ok" else (Rule("Super"),)
    (decision,) = verdicts(policy(*rules), seen(spot(60)))
    assert decision.verdict == verdict


def test_what_an_ended_alarm_was_raised_by_does_not_raise_the_next():
    rule = Rule("Super", least_area_px=50, layers=2, of=5, end_after=1)
    found = verdicts(policy(rule), seen(spot(60), spot(60), (), spot(60), spot(60)))
    assert [d.layer for d in found if d.raised] == [2, 5]
