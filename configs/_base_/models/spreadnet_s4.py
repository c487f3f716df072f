# SpreadNet S4 on its own.
_base_ = ["../networks/spreadnet_s4.py", "../data_preprocessor.py"]
data_preprocessor = _base_._data_preprocessor  # MMDeploy's SDK looks for it here
model = dict(_base_._spreadnet, data_preprocessor=data_preprocessor)
