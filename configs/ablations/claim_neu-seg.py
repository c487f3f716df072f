# Does SpreadNet S8 segment NEU-Seg better with a wide SpreadNet as its teacher than alone, after
# equally many epochs?
title = "Does distillation help? NEU-Seg, three seeds"
seeds = [0, 1, 2]
arms = {
    "teacher": dict(config="../spreadnet/spreadnet-s20-w48_1xb32-60e_neu-seg-208x208.py"),
    "student": dict(study="peers_neu-seg.py", arm="spreadnet-s8"),
    "distilled": dict(
        config="../distill/kd-spreadnet-s20-w48_spreadnet-s8_1xb32-60e_neu-seg-208x208.py",
        teacher="teacher",
        teacher_seed=0,
    ),
}
compare_with = "student"
