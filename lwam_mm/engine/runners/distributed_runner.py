"""A runner that knows what several processes need on GPUs, and on processors."""

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
from lwam_mm.models.output_classes import refuse_single_logit


class DistributedRunner(Runner):
    """mmengine's ``Runner``, several processes of which also work without a GPU.

    Upstream's defaults are made for GPUs: nccl, and a model on the GPU of its process. Here they
    talk over nccl on GPUs and over gloo on processors, unless ``env_cfg.dist_cfg.backend`` says
    otherwise. ``sync_bn`` and SyncBN layers are for GPUs; on processors, where torch has none,
    each process normalises by its own share of the batch. The log says what was chosen.
    """

    def setup_env(self, env_cfg: dict) -> None:
        """Set the environment up, with the backend that goes with the device."""
        backend = "gloo" if get_device() == "cpu" else "nccl"
        dist_cfg = dict(backend=backend) | dict(env_cfg.get("dist_cfg") or {})
        super().setup_env(dict(env_cfg) | dict(dist_cfg=dist_cfg))

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        """Build the model, and refuse one that no score or bundle is made for."""
        model = super().build_model(model)
        refuse_single_logit(model)
        return model

    def register_hooks(
        self, default_hooks: dict | None = None, custom_hooks: list | None = None
    ) -> None:
        """Register the config's hooks, and the one that compares checkpoints and data sets."""
        super().register_hooks(default_hooks, custom_hooks)
        if not any(isinstance(hook, TrainingRecordHook) for hook in self.hooks):
            self.register_hook(TrainingRecordHook())

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Put the model on its device and, if there are several processes, join it with theirs."""
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
            f"{self.world_size} processes on {get_device()}, over {get_backend()}{_norms(wrapped)}."
        )
        return wrapped


def _norms(model: nn.Module) -> str:
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return ""
    if any(isinstance(norm, nn.SyncBatchNorm) for norm in norms):
        return "; batch norms are synchronised"
    why = ", since SyncBN is for GPUs" if get_device() == "cpu" else " (sync_bn is not set)"
    return f"; batch norms look at the images of their own process alone{why}"
