"""A runner for several processes on GPUs or CPUs."""

from __future__ import annotations

from typing import Any

from mmengine.device import get_device
from mmengine.dist import get_backend
from mmengine.model import is_model_wrapper, revert_sync_batchnorm
from mmengine.registry import MODEL_WRAPPERS
from mmengine.runner import Runner
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from lwam_mm.engine.hooks.training_record_hook import TrainingRecordHook
from lwam_mm.models.memory_layout import lay_out_channels_last
from lwam_mm.models.output_classes import refuse_single_logit


class DistributedRunner(Runner):
    """mmengine's ``Runner`` whose several processes also work without a GPU.

    Upstream's defaults are made for GPUs: nccl, and a model on the GPU of its process. This runner
    uses nccl on GPUs and gloo on CPUs, unless ``env_cfg.dist_cfg.backend`` names another.
    ``sync_bn`` and SyncBN layers work on GPUs. Torch has none for CPUs, where each process
    normalises with its own share of the batch. The log says what was chosen.
    """

    def setup_env(self, env_cfg: dict) -> None:
        """Set up the environment, with the backend that fits the device."""
        backend = "gloo" if get_device() == "cpu" else "nccl"
        dist_cfg = dict(backend=backend) | dict(env_cfg.get("dist_cfg") or {})
        super().setup_env(dict(env_cfg) | dict(dist_cfg=dist_cfg))

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        """Build the model in its fast layout; refuse one that no score or bundle is made for."""
        model = super().build_model(model)
        refuse_single_logit(model)
        if not hasattr(model, "channels_last"):  # FrozenTeacherDistill has seen to it itself
            lay_out_channels_last(model)
        return model

    def register_hooks(
        self, default_hooks: dict | None = None, custom_hooks: list | None = None
    ) -> None:
        """Register the config's hooks, and the one that compares checkpoints and data sets."""
        super().register_hooks(default_hooks, custom_hooks)
        if not any(isinstance(hook, TrainingRecordHook) for hook in self.hooks):
            self.register_hook(TrainingRecordHook())

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Move the model to its device, and wrap it if there are several processes."""
        if not self.distributed or is_model_wrapper(model):
            return super().wrap_model(model_wrapper_cfg, model)
        if get_device() == "cpu":
            settings: dict[str, Any] = dict(
                type="MMDistributedDataParallel",
                broadcast_buffers=False,
                find_unused_parameters=self.cfg.get("find_unused_parameters", False),
            )
            settings |= (model_wrapper_cfg or {}) | dict(device_ids=None)
            module = revert_sync_batchnorm(model)
            wrapped = MODEL_WRAPPERS.build(settings, default_args=dict(module=module))
        else:
            wrapped = super().wrap_model(model_wrapper_cfg, model)
        self.logger.info(
            f"{self.world_size} {'process' if self.world_size == 1 else 'processes'} on "
            f"{get_device()}, over {get_backend()}{_norms(wrapped)}."
        )
        return wrapped


def _norms(model: nn.Module) -> str:
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return ""
    if any(isinstance(norm, nn.SyncBatchNorm) for norm in norms):
        return "; batch norms are synchronised"
    why = ", since SyncBN needs GPUs" if get_device() == "cpu" else " (sync_bn is not set)"
    return f"; batch norms use only the images of their own process{why}"
