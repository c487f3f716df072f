"""Distillation on MMRazor: algorithm, engines for the teacher, extraction of the student."""
