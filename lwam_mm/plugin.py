"""Entry point of the training side: importing it repairs upstream packages and registers ours.

With ``custom_imports = dict(imports=['lwam_mm.plugin'], allow_failed_imports=False)`` in a config,
the stock tools of MMSegmentation, MIM and MMDeploy can use all modules of this package.
"""

# ruff: noqa: E402, F401  the settings and repairs must come before the imports that they affect

import sys

from lwam_mm import compat
from lwam_mm.utils import openmp
from lwam_mm.utils.opencv import OpenCVError, check_opencv

try:
    check_opencv()
except OpenCVError as error:
    # A script that imports this module shows the message alone: the traceback adds nothing.
    sys.excepthook = lambda *_, message=f"error: {error}": print(message, file=sys.stderr)
    raise

openmp.spin_briefly()
compat.apply()

import lwam_mm.datasets.powder_bed
import lwam_mm.datasets.samplers.seeded_sampler
import lwam_mm.datasets.seeded_dataset
import lwam_mm.datasets.transforms.brightness_contrast
import lwam_mm.datasets.transforms.defect_crop
import lwam_mm.datasets.transforms.draw_defects
import lwam_mm.datasets.transforms.loading
import lwam_mm.datasets.transforms.paste_defect
import lwam_mm.datasets.transforms.rotate
import lwam_mm.datasets.transforms.staged_transforms
import lwam_mm.distill.calibrate_teacher_hook
import lwam_mm.distill.frozen_teacher_distill
import lwam_mm.engine.bfloat16_optim_wrapper
import lwam_mm.engine.hooks.average_over_processes_hook
import lwam_mm.engine.hooks.best_checkpoints_hook
import lwam_mm.engine.hooks.curves_hook
import lwam_mm.engine.hooks.finite_loss_hook
import lwam_mm.engine.hooks.keep_memory_hook
import lwam_mm.engine.hooks.prediction_pictures_hook
import lwam_mm.engine.hooks.preemption_hook
import lwam_mm.engine.hooks.resumable_checkpoints_hook
import lwam_mm.engine.hooks.resumable_early_stopping_hook
import lwam_mm.engine.hooks.strict_checkpoint_hook
import lwam_mm.engine.logging.progress_log_processor
import lwam_mm.engine.loops.resumable_loops
import lwam_mm.engine.runners.concise_runner
import lwam_mm.engine.runners.resumable_runner
import lwam_mm.evaluation.region_metric
import lwam_mm.evaluation.segmentation_metric
import lwam_mm.models
import lwam_mm.models.losses.batch_dice_loss
import lwam_mm.models.losses.global_cross_entropy_loss
import lwam_mm.models.losses.logit_divergences
import lwam_mm.models.losses.pixel_dist_loss
import lwam_mm.models.losses.pixel_focal_loss
import lwam_mm.models.losses.weighted_cross_entropy_loss
import lwam_mm.models.shipped_checkpoints
