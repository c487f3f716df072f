# The recipe of the magnetic tiles for every net but the distilled: data, losses and schedule.
_base_ = [
    "./datasets/magnetic_tile.py",
    "./losses/magnetic_tile.py",
    "./schedules/schedule_8e.py",
    "./default_runtime.py",
]
