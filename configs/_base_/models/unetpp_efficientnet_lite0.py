# UNet++ with a pretrained encoder on its own, with that encoder's normalisation.
_base_ = ["../networks/unetpp_efficientnet_lite0.py", "../data_preprocessor.py"]
data_preprocessor = dict(_base_._data_preprocessor, **_base_._normalization)
model = dict(_base_._teacher, data_preprocessor=data_preprocessor)
