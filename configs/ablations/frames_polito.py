# How many labelled frames does a powder bed need? SpreadNet S8 on 5, 10 or 20 of the real frames of
# polito_frames or on all 28, tested on the 19 of other builds: from random weights, and from the
# net that comes with the package. Beside it stands the paper's student at a quarter of its width.
title = "How many real powder-bed frames?"
seeds = [0]
amp = True
# Places in the list of training frames, each set within the next, with all defects but Lattice.
_five = [6, 0, 15, 25, 21]  # defect_10, 00, 23, 39 and 33
_ten = [*_five, 18, 19, 14, 23, 17]
_twenty = [*_ten, 1, 22, 24, 8, 11, 20, 3, 27, 16, 2]
_all = list(range(28))
arms = {
    f"{start}-{len(frames)}": dict(
        config="../spreadnet/spreadnet-s8_1xb4-600i_polito-frames-512x512.py",
        overrides={"load_from": weights, "train_dataloader.dataset.indices": frames},
    )
    for start, weights in (("shipped", "lwam_mm::powder-bed-drawn"), ("scratch", None))
    for frames in (_five, _ten, _twenty, _all)
}
arms["lwrnet-28"] = dict(config="../lwrnet/lwrnet-w16_1xb4-600i_polito-frames-512x512.py")
evaluators = [dict(type="RegionMetric", min_area=30)]
compare_with = "shipped-28"
