# The paper's claim on public images: a light student, taught well, comes close to its teacher.
_base_ = ["./_base_/magnetic_tile.py"]
title = "Does distillation help? Magnetic tiles, three seeds"
arms = {
    "teacher": dict(config=_base_._teacher),
    "student": dict(config=_base_._student),
    "dist": dict(teacher="teacher", remove=_base_._without_feature),
    "all": dict(teacher="teacher"),
}
seeds = [0, 1, 2]
compare_with = "student"
