# Does SpreadNet S8 learn NEU-Seg better from a net of its own kind, trained for 120 epochs, than
# alone, in equally many epochs? 18 of them, as the whole recipe three times over takes a day.
title = "Does distillation help? NEU-Seg in 18 epochs, three seeds"
seeds = [0, 1, 2]
amp = True
_s8 = "../spreadnet/spreadnet-s8_1xb32-120e_neu-seg-208x208.py"
_kd = "../distill/kd-spreadnet-s20-w48_spreadnet-s8_1xb32-120e_neu-seg-208x208.py"
_lengths = ("train_cfg.max_epochs", "param_scheduler.1.T_max", "param_scheduler.1.end")
_short = dict.fromkeys(_lengths, 18) | {"train_dataloader.dataset.pipeline.3.early_passes": 12}
arms = {
    "teacher": dict(study="peers_neu-seg.py", arm="spreadnet-s8"),
    "student": dict(config=_s8, overrides=_short),
    "distilled": dict(config=_kd, teacher="teacher", teacher_seed=0, overrides=_short),
}
compare_with = "student"
