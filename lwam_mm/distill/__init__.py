"""Distillation on MMRazor: the algorithm, and the student taken out of its checkpoint."""
