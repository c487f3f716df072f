# ncnn with weights and feature maps stored in 16 bits, any number of images, one by one, of any
# size that is a multiple of 16.
_base_ = ["./segmentation_ncnn_dynamic.py"]
backend_config = dict(precision="FP16")
# With 11 bits a number no logit is within 1e-3; what counts is that the labels stay.
gate = dict(limits=dict(exported=dict(_delete_=True, agreement=99.5, miou=0.2, class_iou=1.0)))
