# Does a teacher help SpreadNet S8 on NEU-Seg? Alone and distilled it trains for 18 epochs, two
# thirds of them on small crops. Its teacher is another S8, trained for 60 epochs.
title = "Does distillation help? NEU-Seg in 18 epochs, three seeds"
seeds, amp = [0, 1, 2], True
_s8 = "../spreadnet/spreadnet-s8_1xb32-60e_neu-seg-208x208.py"
_kd = "../distill/kd-spreadnet-s20-w48_spreadnet-s8_1xb32-60e_neu-seg-208x208.py"
_lengths = ("train_cfg.max_epochs", "param_scheduler.1.T_max", "param_scheduler.1.end")
_staged = "train_dataloader.dataset.pipeline.2"
_short = dict.fromkeys(_lengths, 18)
_short |= {f"{_staged}.ends": [12], f"{_staged}.stages.0.1.crop_size": (128, 128)}
arms = dict(teacher=dict(config=_s8), student=dict(config=_s8, overrides=_short))
# Takes this teacher in place of the config's own.
arms["distilled"] = dict(config=_kd, teacher="teacher", teacher_seed=0, overrides=_short)
compare_with = "student"
