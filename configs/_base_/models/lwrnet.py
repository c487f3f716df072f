# The student on its own.
_base_ = ["../networks/lwrnet.py", "../data_preprocessor.py"]
data_preprocessor = _base_._data_preprocessor  # MMDeploy's SDK looks for it here
model = dict(_base_._student, data_preprocessor=data_preprocessor)
