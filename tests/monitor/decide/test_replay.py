from seen_layers import seen, spot

from lwam_mm.monitor.decide.policy import Policy, Rule
from lwam_mm.monitor.decide.replay import compare, replay


def rules(area, severity="minor"):
    return Policy((Rule("Super", severity, area),), background_layers=0)


LAYERS = seen((), spot(30), spot(60), None, ())


def test_the_same_rules_differ_nowhere():
    assert compare(replay(LAYERS, rules(50)), replay(LAYERS, rules(50))) == []


def test_what_other_rules_would_change_is_listed():
    lower, higher = replay(LAYERS, rules(20)), replay(LAYERS, rules(50))
    first, second = compare(higher, lower)
    assert (first.layer, first.before, first.after) == (2, "ok", "minor")
    assert [alarm.raised_layer for alarm in first.more] == [2]
    assert (second.layer, second.before, second.after, second.more) == (3, "minor", "minor", ())
    assert [alarm.raised_layer for alarm in second.fewer] == [3]
    (worse,) = compare(higher, replay(LAYERS, rules(50, "critical")))
    assert (worse.before, worse.after) == ("minor", "critical")
    assert [a.severity for a in (*worse.fewer, *worse.more)] == ["minor", "critical"]


def test_layers_that_only_one_side_knows_and_late_ones_are_listed():
    late = [*LAYERS, *seen(spot(60), first=2)]
    (difference,) = compare(replay(LAYERS, rules(50)), replay(late, rules(50)))
    assert (difference.layer, difference.before, difference.after) == (2, None, "minor")


def test_alarms_are_counted_and_not_only_named():
    two = replay(seen((spot(60), spot(60, x=500))), rules(50))
    one = replay(seen((spot(60), spot(40, x=500))), rules(50))
    (difference,) = compare(one, two)
    assert (len(difference.fewer), len(difference.more)) == (0, 1)
