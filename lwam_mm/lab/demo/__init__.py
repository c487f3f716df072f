"""The whole pipeline in one command: data, trainings, distillation, folding, export, report."""
