"""From a config and a checkpoint to a bundle that was seen to be the trained model."""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import mmdeploy
import numpy as np
import onnx
import torch
from mmdeploy.apis import torch2onnx
from mmdeploy.utils import get_root_logger
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from torch import nn

from lwam_mm.deploy.bundle_writer import Packer
from lwam_mm.deploy.codebase import refuse_distillation
from lwam_mm.deploy.compared_models import Samples, bundle_stage, load_multi_branch, torch_stage
from lwam_mm.deploy.gate import (
    FLOAT,
    FOLDED,
    INT8,
    MULTI_BRANCH,
    GateError,
    GateReport,
    read_limits,
    run_gate,
)
from lwam_mm.deploy.receptive_field import tile_halo
from lwam_mm.models.input_size import STRIDE
from lwam_mm.models.reparam.fold import reparameterize
from lwam_mm.quantization.calibration import calibration_images
from lwam_mm.runtime import Bundle, InputSpec, Manifest, OutputSpec, Predictor, write_bundle
from lwam_mm.runtime.bundle import check_target
from lwam_mm.utils.console import keep_console_concise
from lwam_mm.utils.errors import UserError
from lwam_mm.utils.paths import configs_folder
from lwam_mm.version import __version__

BACKENDS = ("onnxruntime", "openvino", "ncnn", "ncnn-fp16")
"""Whose bundles :func:`export_bundle` can write; ``configs/deploy`` has a config for each."""

_ONNX_FILE = "model.onnx"


class ExportError(UserError, RuntimeError):
    """There is no way to export this model like this."""


def default_backend() -> str:
    """Name the quickest engine that is here: OpenVINO on x86 processors, else ONNX Runtime."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return "openvino" if x86 and importlib.util.find_spec("openvino") else "onnxruntime"


def load_deploy_config(backend: str, dynamic: bool) -> Config:
    """Load our deploy config of a backend; if not dynamic, its ``input_shape`` is 256x256.

    Raises:
        ExportError: there is no such backend.
    """
    if backend not in BACKENDS:
        raise ExportError(f"backend {backend!r}: give one of {', '.join(BACKENDS)}")
    kind = "dynamic" if dynamic else "static-256x256"
    return Config.fromfile(configs_folder() / "deploy" / f"segmentation_{backend}_{kind}.py")


def deploy_config_for(config: Config, backend: str, dynamic: bool = False) -> Config:
    """Load our deploy config of a backend, at the size that a student's config tests at.

    Raises:
        ExportError: there is no such backend, or no one size that the student is tested at.
    """
    deploy_config = load_deploy_config(backend, dynamic)
    if not dynamic:
        height, width = _test_size(config)
        deploy_config.onnx_config.input_shape = [width, height]
    return deploy_config


def export_bundle(
    config: str | Path | Config,
    checkpoint: str | Path,
    out: str | Path,
    *,
    backend: str | None = None,
    dynamic: bool = False,
    int8: bool = False,
    deploy_config: Config | None = None,
    overwrite: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> Bundle:
    """Fold a student, export it through MMDeploy, hold it against the gate and write its bundle.

    Args:
        config: the student's plain config (not that of its distillation); its validation images
            have to be there, and for INT8 those of training.
        checkpoint: the student's checkpoint.
        out: the bundle's folder.
        backend: one of :data:`BACKENDS`; :func:`default_backend` if None.
        dynamic: export a model for images of any size; otherwise one for the size that the
            config's test pipeline resizes to.
        int8: quantize it, by calibration on training images; where that costs more than the gate
            allows, the layers that lose most return to float.
        deploy_config: a deploy config of one's own, such as one with other limits, in the place
            of ``backend`` and ``dynamic``.
        overwrite: replace a bundle that is there already.
        progress: called with one line of text at each step.

    Returns:
        The bundle as read back; its figures hold the gate's report.

    Raises:
        FileNotFoundError: config or checkpoint is missing.
        lwam_mm.models.checkpoint.CheckpointMismatchError: the checkpoint does not fit the config,
            or the config is that of a distillation.
        lwam_mm.datasets.problem.DatasetError: the images cannot be used.
        ExportError: this cannot be exported.
        GateError: the exported model is not the trained one within the limits; no bundle was
            written.
        lwam_mm.quantization.quantize.QuantizationError: no INT8 model is within the limits.
        lwam_mm.runtime.BundleError: ``out`` is taken, or the exported file cannot be loaded.
    """
    if not isinstance(config, Config):
        if not Path(config).is_file():
            raise FileNotFoundError(f"{config}: there is no such config file")
        config = Config.fromfile(config)
    refuse_distillation(config)
    check_target(Path(out), overwrite)
    keep_console_concise(get_root_logger())
    init_default_scope(config.get("default_scope", "mmseg"))
    if deploy_config is None:
        deploy_config = deploy_config_for(config, backend or default_backend(), dynamic)
    engine = deploy_config.backend_config.type
    size = _size(deploy_config)
    if int8 and engine == "ncnn":
        raise ExportError("ncnn: INT8 is for OpenVINO and ONNX Runtime; leave --int8 out")

    trained = load_multi_branch(config, checkpoint)
    folded = reparameterize(trained)
    samples = Samples(config, deploy_config.gate.images, whole=size is None)
    limits = read_limits(deploy_config.gate.limits)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        progress("fold and export")
        model = _export(config, deploy_config, checkpoint, size, scratch)
        manifest = _manifest(config, deploy_config, checkpoint, folded, size)
        packer = Packer(manifest, deploy_config, scratch)
        bundles = {FLOAT: packer.pack(model, FLOAT)}
        stages = {MULTI_BRANCH: torch_stage(trained), FOLDED: torch_stage(folded)}

        def tell_now_and_then(done: int) -> None:
            if done % 20 == 0 and done < len(samples):
                progress(f"  {done} of {len(samples)}")

        def judge() -> GateReport:
            everything = stages | {
                name: bundle_stage(Predictor(bundle.root)) for name, bundle in bundles.items()
            }
            progress(f"compare {', '.join(everything)} on {len(samples)} validation images")
            return run_gate(everything, samples, manifest.classes, limits, tell_now_and_then)

        if int8:
            from lwam_mm.deploy.accuracy_control import quantize_within

            def pack(candidate: onnx.ModelProto) -> Bundle:
                return packer.pack(candidate, INT8)

            images = calibration_images(
                config, packer.tensor_input, deploy_config.quantization.images
            )
            progress(f"quantize on {len(images)} training images")
            result = quantize_within(
                model, images, pack, bundles[FLOAT], samples, limits.get(INT8), progress
            )
            bundles[INT8] = result.bundle
            packer.note(dict(int8=dict(calibration_images=len(images), **result.provenance)))
        report = judge()
        if report.failures:
            raise GateError(report)
        progress(str(report))
        final = bundles[INT8 if int8 else FLOAT]
        files = {name: final.root / name for name in final.manifest.files}
        return write_bundle(
            out, packer.finished(final.manifest, report), files, overwrite=overwrite
        )


def dataset_classes(config: Config) -> tuple[tuple[str, ...], tuple[tuple[int, int, int], ...]]:
    """Class names and RGB palette (0..255) of a config's test set, without opening any file."""
    dataset = config.test_dataloader.dataset
    meta = DATASETS.get(dataset.type)._load_metainfo(dataset.get("metainfo"))
    palette = tuple(tuple(int(value) for value in colour) for colour in meta["palette"])
    return tuple(meta["classes"]), palette


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


def _size(deploy_config: Config) -> tuple[int, int] | None:
    """Height and width of the deploy config's model; None for one of any size."""
    if deploy_config.onnx_config.get("dynamic_axes"):
        return None
    shape = deploy_config.onnx_config.input_shape
    if shape is None:
        raise ExportError(
            f"{deploy_config.filename}: onnx_config has neither an input_shape nor dynamic_axes; "
            "give one of them"
        )
    return shape[1], shape[0]


def _export(
    config: Config,
    deploy_config: Config,
    checkpoint: str | Path,
    size: tuple[int, int] | None,
    folder: Path,
) -> onnx.ModelProto:
    example = size or (8 * STRIDE, 12 * STRIDE)
    with warnings.catch_warnings():
        # mmdeploy turns sizes into numbers while it traces; that is how it exports.
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning, module="mmdeploy")
        torch2onnx(
            np.zeros((*example, 3), np.uint8),
            str(folder),
            _ONNX_FILE,
            deploy_config,
            config,
            str(checkpoint),
            "cpu",
        )
    model = onnx.load(folder / _ONNX_FILE)
    onnx.checker.check_model(model)
    return model


def _manifest(
    config: Config,
    deploy_config: Config,
    checkpoint: str | Path,
    folded: nn.Module,
    size: tuple[int, int] | None,
) -> Manifest:
    """Describe the plain export: a tensor in, logits out."""
    preprocessor = config.model.data_preprocessor
    if not preprocessor.get("bgr_to_rgb"):
        raise ExportError(
            f"{config.filename}: data_preprocessor.bgr_to_rgb is off, but a bundle's network takes "
            "RGB; train with bgr_to_rgb=True"
        )
    classes, palette = dataset_classes(config)
    onnx_config = deploy_config.onnx_config
    return Manifest(
        classes=classes,
        palette=palette,
        engine=deploy_config.backend_config.type,
        precision="float32",
        model=_ONNX_FILE,
        input=InputSpec(
            name=onnx_config["input_names"][0],
            size=size,
            mean=tuple(map(float, preprocessor.mean)),
            std=tuple(map(float, preprocessor.std)),
            resize="stretch" if size else "pad",
            size_divisor=STRIDE,
            halo=None if size else tile_halo(folded, STRIDE),
            white_level=config.val_dataloader.dataset.get("white_level"),
        ),
        output=OutputSpec(logits=onnx_config["output_names"][0]),
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
    )
