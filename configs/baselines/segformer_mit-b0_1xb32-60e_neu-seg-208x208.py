# SegFormer-B0 as in MMSegmentation, on NEU-Seg, trained like the student.
_base_ = ["mmseg::_base_/models/segformer_mit-b0.py", "../_base_/neu_seg_60e.py"]
model = dict(
    data_preprocessor=dict(size_divisor=32, test_cfg=dict(size_divisor=32)),
    decode_head=dict(num_classes=4, norm_cfg=dict(type="BN"), loss_decode=_base_.neu_seg_loss),
)
