# What it costs to ask the teacher in INT8, which is quicker: the student's mIoU beside that of a
# student whose teacher answers in full precision.
#
# python tools/ablate.py configs/ablations/teacher-engine_magnetic-tile.py --jobs 2 --resume
# The format is told in lwam_mm/lab/studies/__init__.py.
title = "Teacher in INT8"
base = "../distill/kd-unetpp-w8_lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"
_claim = "claim_magnetic-tile.py"
arms = {
    "student": dict(study=_claim),
    "all": dict(study=_claim),
    "all_int8-teacher": dict(
        teacher="teacher", overrides={"model.teacher_engine": "openvino-int8"}
    ),
    "teacher": dict(study=_claim),
}
seeds = [0, 1, 2]
compare_with = "all"
amp = True
