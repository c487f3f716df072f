# What every run shares: our modules, logging, pictures of the curves, strict checkpoints.
default_scope = "mmseg"
custom_imports = dict(imports=["lwam_mm.plugin"], allow_failed_imports=False)

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    dist_cfg=dict(backend="nccl"),
)
sync_bn = "torch"  # with more than one GPU only
randomness = dict(seed=114)

vis_backends = [dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")]
visualizer = dict(type="SegLocalVisualizer", vis_backends=vis_backends)
log_level = "INFO"

load_from = None
resume = False
custom_hooks = [
    dict(type="StrictCheckpointHook"),
    dict(type="CurvesHook"),
]
