# How soft the teacher's answers should be for DIST; LWAM uses 4, and so does the claim's arm.
_base_ = ["./_base_/magnetic_tile.py"]
title = "Temperature of DIST"
_tau = f"{_base_._losses}.loss_dist.tau"
arms = {
    "teacher": dict(study=_base_._claim),
    "student": dict(study=_base_._claim),
    "tau-1": dict(teacher="teacher", overrides={_tau: 1.0}),
    "tau-2": dict(teacher="teacher", overrides={_tau: 2.0}),
    "tau-4": dict(study=_base_._claim, arm="all"),
    "tau-8": dict(teacher="teacher", overrides={_tau: 8.0}),
}
compare_with = "tau-4"
