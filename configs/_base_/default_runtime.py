# What every run shares: registration of our modules, logging, curves, strict loading of
# checkpoints, resuming after a kill or a preemption, and training in several processes.
default_scope = "mmseg"
custom_imports = dict(imports=["lwam_mm.plugin"], allow_failed_imports=False)

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    # dist_cfg=dict(backend=...): by default nccl on GPUs and gloo on CPUs.
)
sync_bn = "torch"  # on GPUs; torch has none for CPUs
randomness = dict(seed=114)

vis_backends = [dict(type="LocalVisBackend")]  # tools/train.py --tensorboard adds one
visualizer = dict(type="SegLocalVisualizer", vis_backends=vis_backends)
log_level = "INFO"

load_from = None
resume = False
runner_type = "ResumableRunner"  # for MMSegmentation's own tools
custom_hooks = [
    dict(type="StrictCheckpointHook"),
    dict(type="FiniteLossHook"),
    dict(type="AverageOverProcessesHook"),
    dict(type="KeepMemoryHook"),  # faster on CPUs
    dict(type="CurvesHook"),
    dict(type="CalibrateTeacherHook"),  # does nothing unless model.teacher_engine="openvino-int8"
    dict(type="PreemptionHook"),
]
