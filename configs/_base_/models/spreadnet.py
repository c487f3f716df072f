# SpreadNet S8 on its own.
_base_ = ["../networks/spreadnet.py", "../data_preprocessor.py"]
data_preprocessor = _base_._data_preprocessor  # MMDeploy's SDK looks for it here
model = dict(_base_._spreadnet, data_preprocessor=data_preprocessor)
