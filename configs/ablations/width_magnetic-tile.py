# How wide the student has to be, alone and taught by DIST. The feature's term is left out, because
# it needs the teacher's number of channels.
_base_ = ["./_base_/magnetic_tile.py"]
title = "Width of the student"


def _width(channels, student):
    return {f"{student}.{part}.base_channels": channels for part in ("backbone", "decode_head")}


_alone = [dict(config=_base_._student, overrides=_width(w, "model")) for w in (8, 32)]
_dist = dict(teacher="teacher", remove=_base_._without_feature)
_taught = [dict(_dist, overrides=_width(w, "model.architecture")) for w in (8, 32)]
arms = {
    "w8_alone": _alone[0],
    "w8_dist": _taught[0],
    "w16_alone": dict(study=_base_._claim, arm="student"),
    "w16_dist": dict(study=_base_._claim, arm="dist"),
    "w32_alone": _alone[1],
    "w32_dist": _taught[1],
    "teacher": dict(study=_base_._claim),
}
compare_with = "w16_alone"
