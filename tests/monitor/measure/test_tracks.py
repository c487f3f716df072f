from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from lwam_mm.monitor.measure.region import Region
from lwam_mm.monitor.measure.tracks import Tracker


def region(x, y, width=10, height=10, name="Super", **more):
    centre = (x + width / 2, y + height / 2)
    return Region(name, width * height, x, y, width, height, *centre, **more)


def ids(tracker, layer, *regions):
    return [one.track_id for one in tracker.update(layer, regions)[0]]


def test_a_region_is_followed_while_it_moves_and_grows():
    tracker = Tracker()
    assert ids(tracker, 1, region(10, 10)) == [1]
    assert ids(tracker, 2, region(18, 10, 14)) == [1]
    assert ids(tracker, 3, region(36, 10)) == [1]
    track = tracker.live[1]
    assert (track.first_layer, track.last_layer, track.layers, track.max_area_px) == (1, 3, 3, 140)


def test_another_place_class_or_background_is_another_track():
    tracker = Tracker()
    first = region(10, 10)
    assert ids(tracker, 1, first) == [1]
    others = [
        region(26, 10),
        replace(first, class_name="Streaking"),
        replace(first, background=True),
    ]
    assert ids(tracker, 2, first, *others) == [1, 2, 3, 4]
    assert tracker.live[4].background


def test_a_track_survives_gaps_up_to_its_memory():
    tracker = Tracker(memory=3)
    assert ids(tracker, 1, region(10, 10)) == [1]
    for layer in (2, 3):
        assert tracker.update(layer, []) == ([], [])
    assert ids(tracker, 4, region(10, 10)) == [1]
    for layer in (5, 6):
        tracker.update(layer, [])
    (ended,) = tracker.update(7, [])[1]
    assert (ended.id, ended.ended, ended.last_layer) == (1, True, 4)
    assert ids(tracker, 8, region(10, 10)) == [2]
    assert list(tracker.live) == [2]


def test_parts_of_a_region_that_split_share_its_track_and_add_up():
    tracker = Tracker()
    ids(tracker, 1, region(0, 0, 40, 40))
    assert ids(tracker, 2, region(0, 0), region(25, 25)) == [1, 1]
    assert list(tracker.live[1].areas) == [1600, 200]


def test_a_small_region_inside_of_a_large_box_follows_its_own_track():
    tracker = Tracker()
    frame, spot = region(0, 0, 1000, 1000), region(500, 500)
    assert ids(tracker, 1, frame, spot) == [1, 2]
    assert ids(tracker, 2, frame, spot) == [1, 2]


BOXES = st.lists(
    st.builds(region, st.integers(0, 90), st.integers(0, 90), st.integers(1, 40)), max_size=6
)


@settings(max_examples=100, deadline=None)
@given(st.lists(BOXES, max_size=8))
def test_tracks_account_for_every_region_and_are_the_same_when_made_again(layers):
    def follow():
        tracker, seen, ended = Tracker(memory=2), [], []
        for number, regions in enumerate(layers):
            named, over = tracker.update(number, regions)
            assert [replace(one, track_id=None) for one in named] == regions
            seen += [(number, one.track_id) for one in named]
            ended += over
        return seen, [*ended, *tracker.live.values()]

    seen, tracks = follow()
    assert follow() == (seen, tracks)
    for track in tracks:
        numbers = {number for number, track_id in seen if track_id == track.id}
        assert (min(numbers), max(numbers), len(numbers)) == (
            track.first_layer,
            track.last_layer,
            track.layers,
        )
    assert {track_id for _, track_id in seen} == {track.id for track in tracks}
