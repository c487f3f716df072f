# The recipe of NEU-Seg for every net: data, losses and schedule.
_base_ = [
    "./datasets/neu_seg.py",
    "./losses/neu_seg.py",
    "./schedules/schedule_60e.py",
    "./default_runtime.py",
]
