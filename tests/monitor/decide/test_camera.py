from lwam_mm.monitor.decide.camera import CameraAlarms
from lwam_mm.monitor.frame.health import FrameHealth

GOOD, DARK = FrameHealth(True), FrameHealth(False, "the frame is dark")
SOOT = FrameHealth(True, warning="look for soot")


def run(alarms, *healths):
    return [
        ([a.message for a in raised], [(a.raised_layer, a.ended_layer) for a in ended])
        for raised, ended in (alarms.update(at, health) for at, health in enumerate(healths))
    ]


def test_unusable_frames_in_a_row_raise_one_alarm_that_a_good_frame_ends():
    alarms = CameraAlarms(2, "critical")
    found = run(alarms, DARK, GOOD, DARK, DARK, DARK, GOOD)
    assert found == [
        ([], []),
        ([], []),
        ([], []),
        (["Camera: the frame is dark"], []),
        ([], []),
        ([], [(3, 5)]),
    ]
    assert alarms.open_alarms == ()


def test_a_warning_outlasts_unusable_frames():
    alarms = CameraAlarms(1, "critical")
    found = run(alarms, SOOT, SOOT, DARK, GOOD)
    assert found[0] == (["Camera: look for soot"], [])
    assert found[1] == ([], [])
    assert found[2] == (["Camera: the frame is dark"], [])
    assert found[3] == ([], [(2, 3), (0, 3)])
