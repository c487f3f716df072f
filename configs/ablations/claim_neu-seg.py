# Does SpreadNet S8 learn NEU-Seg better from a net of its own kind, which had 120 epochs, than
# alone, in equally many epochs? 18 of them, two thirds on small crops, take a quarter of an hour.
title = "Does distillation help? NEU-Seg in 18 epochs, three seeds"
seeds = [0, 1, 2]
amp = True
_s8 = "../spreadnet/spreadnet-s8_1xb32-60e_neu-seg-208x208.py"
_kd = "../distill/kd-spreadnet-s20-w48_spreadnet-s8_1xb32-60e_neu-seg-208x208.py"
_crop = "train_dataloader.dataset.pipeline.3.early"
_lengths = ("train_cfg.max_epochs", "param_scheduler.1.T_max", "param_scheduler.1.end")
_short, _long = (
    dict.fromkeys(_lengths, epochs) | {f"{_crop}_size": (128, 128), f"{_crop}_passes": small}
    for epochs, small in ((18, 12), (120, 90))
)
arms = {
    "teacher": dict(config=_s8, overrides=_long),
    "student": dict(config=_s8, overrides=_short),
    "distilled": dict(config=_kd, teacher="teacher", teacher_seed=0, overrides=_short),
}
compare_with = "student"
