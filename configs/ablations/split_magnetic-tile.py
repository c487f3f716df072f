# What a random split of the magnetic tiles is worth, where the literature uses one: each tile was
# photographed about six times, so a random split tests on tiles that were trained on. It leaks.
title = "Magnetic tiles, split by tile and at random"
amp = True
seeds = [0, 1, 2]
_nets = {
    "spreadnet-s8": "../spreadnet/spreadnet-s8_1xb16-20e_magnetic-tile-256x256.py",
    "lwrnet-w16": "../lwrnet/lwrnet-w16_1xb16-20e_magnetic-tile-256x256.py",
}
_lists = "{{ fileDirname }}/../_base_/splits/magnetic_tile"
_random = {
    f"{side}_dataloader.dataset.{key}": value
    for side, part in (("train", "train"), ("val", "val"), ("test", "val"))
    for key, value in {
        "data_prefix.img_path": "images",
        "data_prefix.seg_map_path": "masks",
        "ann_file": f"{_lists}/random_{part}.txt",
    }.items()
}
arms = {
    f"{net}{suffix}": dict(config=config, overrides=overrides)
    for suffix, overrides in (("", {}), ("-leaking", _random))
    for net, config in _nets.items()
}
compare_with = "lwrnet-w16"
