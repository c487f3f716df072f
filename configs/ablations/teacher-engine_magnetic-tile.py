# What a teacher in INT8, which is faster, costs: the student's mIoU beside that of a student whose
# teacher runs in full precision.
_base_ = ["./_base_/magnetic_tile.py"]
title = "Teacher in INT8"
_int8 = {"model.teacher_engine": "openvino-int8"}
arms = {
    "student": dict(study=_base_._claim),
    "all": dict(study=_base_._claim),
    "all_int8-teacher": dict(teacher="teacher", overrides=_int8),
    "teacher": dict(study=_base_._claim),
}
seeds = [0, 1, 2]
compare_with = "all"
