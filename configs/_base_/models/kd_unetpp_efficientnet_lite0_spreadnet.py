# Distillation: UNet++ with a pretrained encoder teaches SpreadNet S8 as a wide SpreadNet does. It
# sees the images normalised as that encoder expects them.
_base_ = ["./kd_spreadnet.py", "../networks/unetpp_efficientnet_lite0.py"]
model = dict(
    teacher=dict(
        _delete_=True,
        **_base_._teacher,
        data_preprocessor=dict(_base_._data_preprocessor, **_base_._normalization),
    )
)
