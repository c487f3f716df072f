# OpenVINO with the argmax in the graph: class indices, int64 (N, 1, H, W), instead of
# logits. For images that the network takes at their own size: labels cannot be resized as
# logits are.
_base_ = ["./segmentation_openvino_dynamic.py"]
codebase_config = dict(model_type="labels_end2end", with_argmax=True)
