"""From a config and a checkpoint to a bundle."""

from __future__ import annotations

import hashlib
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mmdeploy
import numpy as np
import onnx
import torch
from mmdeploy.apis import build_task_processor, torch2onnx
from mmdeploy.utils import get_root_logger
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from lwam_mm.console import keep_console_concise
from lwam_mm.errors import UserError
from lwam_mm.models.input_size import STRIDE
from lwam_mm.paths import configs_folder
from lwam_mm.runtime import Bundle, InputSpec, Manifest, OutputSpec, write_bundle
from lwam_mm.runtime.bundle import check_target
from lwam_mm.version import __version__

LOGIT_TOLERANCE = 1e-3
"""How far an exported logit may lie from torch's, absolute, or relative where it is above 1."""

_MODEL_FILE = "model.onnx"


class ExportError(UserError, RuntimeError):
    """The exported model is not the trained one, or there is no way to export it."""


def export_bundle(
    config: str | Path | Config,
    checkpoint: str | Path,
    out: str | Path,
    *,
    dynamic: bool = False,
    overwrite: bool = False,
) -> Bundle:
    """Fold a student, export it to ONNX through MMDeploy, check it and write its bundle.

    The exported model is run beside the folded torch model on the same random images; a bundle
    is written only if their logits agree.

    Args:
        config: the student's plain config (not that of its distillation).
        checkpoint: the student's checkpoint.
        out: the bundle's folder.
        dynamic: export a model for any multiple of 16 as height and width; otherwise one for the
            size that the config's test pipeline resizes to.
        overwrite: replace a bundle that is there already.

    Returns:
        The bundle as read back.

    Raises:
        FileNotFoundError: config or checkpoint is missing.
        lwam_mm.models.checkpoint.CheckpointMismatchError: the checkpoint does not fit the config.
        ValueError: the config is that of a distillation.
        ExportError: the logits disagree, or the config does not say what the bundle must.
        lwam_mm.runtime.BundleError: ``out`` is taken.
    """
    if not isinstance(config, Config):
        if not Path(config).is_file():
            raise FileNotFoundError(f"{config}: there is no such config file")
        config = Config.fromfile(config)
    check_target(Path(out), overwrite)
    keep_console_concise(get_root_logger())
    init_default_scope(config.get("default_scope", "mmseg"))
    size = None if dynamic else _test_size(config)
    deploy_config = _deploy_config(size)
    example_size = size or (8 * STRIDE, 12 * STRIDE)

    with tempfile.TemporaryDirectory() as folder:
        onnx_file = Path(folder) / _MODEL_FILE
        with warnings.catch_warnings():
            # mmdeploy turns sizes into numbers while it traces; that is how it exports.
            warnings.filterwarnings("ignore", category=torch.jit.TracerWarning, module="mmdeploy")
            torch2onnx(
                np.zeros((*example_size, 3), np.uint8),
                folder,
                _MODEL_FILE,
                deploy_config,
                config,
                str(checkpoint),
                "cpu",
            )
        onnx.checker.check_model(str(onnx_file))
        difference = _compare(config, deploy_config, checkpoint, onnx_file, example_size)
        manifest = _manifest(config, size, deploy_config.onnx_config, checkpoint, difference)
        return write_bundle(out, manifest, {_MODEL_FILE: onnx_file}, overwrite=overwrite)


def _test_size(config: Config) -> tuple[int, int]:
    """Height and width that the test pipeline resizes to."""
    for transform in config.get("test_pipeline", []):
        if transform["type"] == "Resize" and not transform.get("keep_ratio", False):
            width, height = transform["scale"]
            if width % STRIDE or height % STRIDE:
                raise ExportError(
                    f"{config.filename}: test_pipeline resizes to {width}x{height}, which is no "
                    f"multiple of {STRIDE}; change it, or export with --dynamic"
                )
            return height, width
    raise ExportError(
        f"{config.filename}: test_pipeline has no Resize(keep_ratio=False) that would fix the "
        "model's size; add one, or export with --dynamic"
    )


def _deploy_config(size: tuple[int, int] | None) -> Config:
    folder = configs_folder() / "deploy"
    if size is None:
        return Config.fromfile(folder / "segmentation_onnxruntime_dynamic.py")
    deploy_config = Config.fromfile(folder / "_base_" / "onnxruntime.py")
    deploy_config.onnx_config.input_shape = [size[1], size[0]]
    return deploy_config


def _compare(
    config: Config,
    deploy_config: Config,
    checkpoint: str | Path,
    onnx_file: Path,
    size: tuple[int, int],
) -> float:
    """Largest difference of logits between the folded torch model and the exported one."""
    import onnxruntime

    model = build_task_processor(config, deploy_config, "cpu").build_pytorch_model(str(checkpoint))
    images = np.random.default_rng(0).standard_normal((1, 3, *size)).astype(np.float32)
    with torch.no_grad():
        expected = model(torch.from_numpy(images), mode="tensor").numpy()
    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: images})[0]
    if found.shape != expected.shape:
        raise ExportError(f"the exported model gives {found.shape}, torch {expected.shape}")
    difference = np.abs(found - expected)
    excess = float((difference / np.maximum(1, np.abs(expected))).max())
    if not excess <= LOGIT_TOLERANCE:
        raise ExportError(
            f"the exported model's logits are off by up to {difference.max():.3g} (relative "
            f"{excess:.3g}, allowed {LOGIT_TOLERANCE}); no bundle was written"
        )
    return float(difference.max())


def _manifest(
    config: Config,
    size: tuple[int, int] | None,
    onnx_config: Mapping[str, Any],
    checkpoint: str | Path,
    difference: float,
) -> Manifest:
    preprocessor = config.model.data_preprocessor
    if not preprocessor.get("bgr_to_rgb"):
        raise ExportError(
            f"{config.filename}: data_preprocessor.bgr_to_rgb is off, but a bundle's network takes "
            "RGB; train with bgr_to_rgb=True"
        )
    classes, palette = dataset_classes(config)
    return Manifest(
        classes=classes,
        palette=palette,
        engine="onnxruntime",
        model=_MODEL_FILE,
        input=InputSpec(
            name=onnx_config["input_names"][0],
            size=size,
            mean=tuple(map(float, preprocessor.mean)),
            std=tuple(map(float, preprocessor.std)),
            resize="stretch" if size else "pad",
            size_divisor=STRIDE,
        ),
        output=OutputSpec(name=onnx_config["output_names"][0]),
        provenance=dict(
            config=Path(config.filename).name if config.filename else None,
            checkpoint=Path(checkpoint).name,
            checkpoint_sha256=hashlib.sha256(Path(checkpoint).read_bytes()).hexdigest(),
            folded=True,
            opset=onnx_config["opset_version"],
            lwam_mm=__version__,
            torch=torch.__version__,
            mmdeploy=mmdeploy.__version__,
        ),
        figures=dict(largest_logit_difference_to_torch=difference),
    )


def dataset_classes(config: Config) -> tuple[tuple[str, ...], tuple[tuple[int, int, int], ...]]:
    """Class names and RGB palette (0..255) of a config's test set, without opening any file."""
    dataset = config.test_dataloader.dataset
    meta = DATASETS.get(dataset.type)._load_metainfo(dataset.get("metainfo"))
    palette = tuple(tuple(int(value) for value in colour) for colour in meta["palette"])
    return tuple(meta["classes"]), palette
