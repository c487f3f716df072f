"""The whole road in one command: data, teacher, student, distillation, fold, export, report."""
