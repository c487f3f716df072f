# TensorRT in INT8 where that is faster and float16 elsewhere, one image of 1024x1024 at a time.
# MMDeploy calibrates it on the validation images and needs h5py and pycuda for that.
_base_ = ["./segmentation_tensorrt-fp16_static-1024x1024.py"]
backend_config = dict(common_config=dict(int8_mode=True))
calib_config = dict(create_calib=True, calib_file="calib_data.h5")
