# What every run shares: our modules, logging, pictures of the curves, checkpoints that are
# strict, what keeps a run's work when it is killed or told to end, and several processes.
default_scope = "mmseg"
custom_imports = dict(imports=["lwam_mm.plugin"], allow_failed_imports=False)

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    # Several processes talk over nccl on GPUs and over gloo on processors, unless told otherwise:
    # dist_cfg=dict(backend=...)
)
sync_bn = "torch"  # on GPUs; on processors torch has none
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
    dict(type="JointProcessesHook"),
    dict(type="KeepMemoryHook"),  # on processors: quicker
    dict(type="CurvesHook"),
    dict(type="CalibrateTeacherHook"),  # for model.teacher_engine="openvino-int8" alone
    dict(type="PreemptionHook"),
]
