"""The judgement of frames, on real frames and on what is done to them."""

import cv2
import numpy as np
import pytest

from lwam_mm.monitor.frame.judge import FrameJudge
from lwam_mm.monitor.frame.settings import FrameSettings
from lwam_mm.runtime import SettingError, read_image

RUNS = [
    "lpbf_builds/SI377320210706074338/images",
    "lpbf_builds/SI377320211019193917/images",
    "powder_bed_frames/No_Defect",
]


@pytest.fixture(params=RUNS, ids=["first build", "second build", "plain powder"])
def frames(request, shared_data):
    paths = sorted((shared_data / request.param).iterdir())
    return [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]


def shifted(frame, x, y):
    matrix = np.float32([[1, 0, x], [0, 1, y]])
    size = (frame.shape[1], frame.shape[0])
    return cv2.warpAffine(frame, matrix, size, borderMode=cv2.BORDER_REPLICATE)


def with_hand(frame):
    """A dark arm reaching in from below."""
    height, width = frame.shape
    changed = frame.copy()
    cv2.line(changed, (width // 3, height), (width // 2, height // 2), 20, width // 6)
    return changed


def with_laser(frame):
    """A bright spot with its halo."""
    height, width = frame.shape
    y, x = np.mgrid[:height, :width]
    glow = 400 * np.exp(-((x - width / 2) ** 2 + (y - height / 2) ** 2) / (0.12 * width) ** 2)
    return np.clip(frame + glow, 0, 255).astype(np.uint8)


SPOILED = {
    "dark": (lambda frame: (frame * 0.03).astype(np.uint8), "dark"),
    "overexposed": (lambda frame: cv2.convertScaleAbs(frame, alpha=3), "overexposed"),
    "dimmed": (lambda frame: (frame * 0.55).astype(np.uint8), "exposure"),
    "out of focus": (lambda frame: cv2.GaussianBlur(frame, (0, 0), 2.5), "blurred"),
    "hand": (with_hand, "something is in the image"),
    "laser": (with_laser, "image|overexposed"),
    "moved": (lambda frame: shifted(frame, 8, -5), "camera moved"),
    "moved far": (lambda frame: shifted(frame, 40, 25), "camera moved|something"),
    "blank": (lambda frame: np.full_like(frame, 90), "blank"),
    "cropped": (lambda frame: frame[:-2], "px, not"),
}


def test_every_frame_of_a_good_build_is_usable(frames):
    judge = FrameJudge()
    for frame in frames:
        health = judge.judge(frame)
        assert health.usable, health
        assert health.warning is None


@pytest.mark.parametrize("kind", SPOILED)
def test_a_spoiled_frame_is_refused_and_the_next_one_is_not(frames, kind):
    spoil, reason = SPOILED[kind]
    judge = FrameJudge()
    for frame in frames[:-2]:
        judge.judge(frame)
    health = judge.judge(spoil(frames[-2]))
    assert not health.usable
    assert any(part in health.reason for part in reason.split("|")), health.reason
    assert judge.judge(frames[-1]).usable


def test_a_shift_is_measured_in_pixels_of_the_frame(frames):
    judge = FrameJudge(FrameSettings(shift_px=100))
    for frame in frames[:-1]:
        judge.judge(frame)
    values = judge.judge(shifted(frames[-1], 20, 12)).values
    assert values["shift_x"] == pytest.approx(20, abs=3)
    assert values["shift_y"] == pytest.approx(12, abs=6)  # plain powder has hardly a level edge


def test_soot_warns_while_the_frames_are_still_usable(frames):
    judge = FrameJudge()
    for frame in frames:
        judge.judge(frame)
    warnings = []
    for step in range(60):
        dull = frames[step % len(frames)] * (1 - 0.3 * min(1, step / 30))
        health = judge.judge(dull.astype(np.uint8))
        assert health.usable, health
        warnings.append(health.warning)
    assert warnings[5] is None
    assert "soot" in warnings[-1]


def test_what_happens_outside_of_the_region_does_not_count(shared_data):
    path = sorted((shared_data / RUNS[2]).iterdir())[0]
    frame = cv2.cvtColor(read_image(path), cv2.COLOR_BGR2GRAY)
    roi = np.zeros(frame.shape, bool)
    roi[300:900, 200:800] = True
    lamp = frame.copy()
    lamp[:250, :] = 255
    inside, everywhere = FrameJudge(FrameSettings(shift_px=1e6)), FrameJudge()
    inside.judge(frame, roi)
    everywhere.judge(frame)
    assert inside.judge(lamp, roi).usable
    assert not everywhere.judge(lamp).usable


def test_a_first_frame_is_refused_only_if_nothing_can_be_seen():
    noise = np.random.default_rng(0).integers(60, 90, (64, 64), np.uint8)
    assert not FrameJudge().judge(np.zeros((64, 64), np.uint8)).usable
    assert not FrameJudge().judge(np.where(noise > 70, 255, noise).astype(np.uint8)).usable
    assert FrameJudge().judge(noise).usable
    assert FrameJudge().judge(cv2.cvtColor(noise, cv2.COLOR_GRAY2BGR)).usable


@pytest.mark.parametrize(
    "wrong", [dict(sharpness=2), dict(brightness=1), dict(first_frames=0), dict(size=(0, 5))]
)
def test_a_setting_that_cannot_work_is_refused(wrong):
    with pytest.raises(SettingError, match=f"{next(iter(wrong))} is .*: give"):
        FrameJudge(FrameSettings(**wrong))


def test_plain_noise_is_no_moved_camera():
    draw = np.random.default_rng(0)
    judge = FrameJudge()
    for _ in range(12):
        assert judge.judge(draw.integers(80, 100, (600, 800), dtype=np.uint8)).usable
