"""Export of a checkpoint: through MMDeploy into ONNX, through the gate into a bundle."""

from __future__ import annotations

import logging
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import mmdeploy
import numpy as np
import onnx
import torch
from mmdeploy.apis import torch2onnx
from mmdeploy.backend.base import get_backend_manager
from mmdeploy.utils import get_root_logger
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

import lwam_mm.deploy  # noqa: F401  registers our backends over MMDeploy's
from lwam_mm.datasets.classes import default_palette
from lwam_mm.deploy.compared_models import (
    ValidationImages,
    bundle_stage,
    load_multi_branch,
    torch_stage,
)
from lwam_mm.deploy.deploy_config import (
    ExportError,
    default_backend,
    load_deploy_config,
    model_size,
)
from lwam_mm.deploy.deployable import (
    check_deployable,
    dataset_classes,
    dataset_white_level,
    normalisation,
    padding_divisor,
    preprocessor_of,
    refuse_distillation,
    tested_size,
)
from lwam_mm.deploy.gate import (
    FLOAT,
    FOLDED,
    INT8,
    MULTI_BRANCH,
    GateError,
    compare_with_training,
    read_limits,
    run_gate,
)
from lwam_mm.deploy.pre_and_postprocessing import CHECK, FRAME, LABELS, add_labels, take_frames
from lwam_mm.deploy.receptive_field import tile_halo
from lwam_mm.models.input_size import STRIDE
from lwam_mm.models.output_classes import check_output_classes
from lwam_mm.models.reparam.fold import reparameterize
from lwam_mm.models.shipped_checkpoints import checkpoint_file
from lwam_mm.models.training_record import TrainingRecord, check_training_record
from lwam_mm.quantization.calibration import calibration_images
from lwam_mm.runtime import Bundle, InputSpec, Manifest, OutputSpec, Predictor, write_bundle
from lwam_mm.runtime.bundle import check_target, sha256
from lwam_mm.utils.console import keep_console_concise
from lwam_mm.utils.errors import UserError
from lwam_mm.version import __version__

_ONNX_FILE = "model.onnx"


class Exporter:
    """Exports one segmentor for one backend, and writes bundles of it into a scratch folder.

    Args:
        config: The segmentor's config.
        checkpoint: Its weights.
        deploy_config: The deploy config; it fixes the backend and the size.
        folder: The folder to write to.
        classes: Class names; those of the config's test set if None.
    """

    def __init__(
        self,
        config: Config,
        checkpoint: str | Path,
        deploy_config: Config,
        folder: Path,
        classes: Sequence[str] | None = None,
    ) -> None:
        self.config, self.checkpoint = config, checkpoint_file(checkpoint)
        self.deploy_config, self.size = deploy_config, model_size(deploy_config)
        self.folder, self._classes = folder, classes

    @cached_property
    def trained(self) -> tuple[nn.Module, TrainingRecord]:
        """The multi-branch network, in eval mode, and what its checkpoint remembers."""
        return load_multi_branch(self.config, self.checkpoint)

    @cached_property
    def folded(self) -> nn.Module:
        """The network with its blocks folded, in eval mode."""
        return reparameterize(self.trained[0])

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of the plain export: a normalised tensor in, logits out."""
        settings, onnx_config = preprocessor_of(self.config), self.deploy_config.onnx_config
        mean, std = normalisation(settings)
        divisor = padding_divisor(settings) or STRIDE
        if self._classes is None:
            classes, palette = dataset_classes(self.config)
        else:
            classes = tuple(self._classes)
            palette = tuple(map(tuple, default_palette(len(classes))))
        backend = self.deploy_config.backend_config
        return Manifest(
            classes=classes,
            palette=palette,
            engine=backend.type,
            precision="float16" if backend.get("precision") == "FP16" else "float32",
            model=_ONNX_FILE,
            input=InputSpec(
                name=onnx_config["input_names"][0],
                size=self.size,
                mean=mean,
                std=std,
                resize="stretch" if self.size else "pad",
                size_divisor=divisor,
                halo=None if self.size else tile_halo(self.folded, divisor),
                white_level=dataset_white_level(self.config),
            ),
            output=OutputSpec(logits=onnx_config["output_names"][0]),
            provenance=dict(
                config=Path(self.config.filename).name if self.config.filename else None,
                checkpoint=self.checkpoint.name,
                checkpoint_sha256=sha256(self.checkpoint),
                folded=True,
                opset=onnx_config["opset_version"],
                lwam_mm=__version__,
                torch=torch.__version__,
                mmdeploy=mmdeploy.__version__,
            ),
        )

    def to_onnx(self) -> onnx.ModelProto:
        """Export the folded network: a normalised tensor in, logits at the input's size out."""
        logger = get_root_logger()
        logger.setLevel(logging.WARNING)
        keep_console_concise(logger)
        example = self.size or (8 * STRIDE, 12 * STRIDE)
        with warnings.catch_warnings():
            # MMDeploy turns sizes into numbers while it traces; that is how it exports.
            warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
            torch2onnx(
                np.zeros((*example, 3), np.uint8),
                str(self.folder),
                _ONNX_FILE,
                self.deploy_config,
                self.config,
                str(self.checkpoint),
                "cpu",
            )
        model = onnx.load(self.folder / _ONNX_FILE)
        onnx.checker.check_model(model)
        return model

    def pack(self, model: onnx.ModelProto, *, int8: bool = False, frames: bool = True) -> Bundle:
        """Write a plain export as a bundle; an earlier one of the same kind is replaced.

        Args:
            model: The plain export, in float or quantized.
            int8: It is quantized.
            frames: Extend the graph: a decoded frame in, labels and a check out beside the logits.
                ncnn has no operators for bytes, so there the runtime always does both.
        """
        manifest = replace(self.manifest, precision="int8") if int8 else self.manifest
        spec = manifest.input
        if frames and manifest.engine != "ncnn":
            pad_to = None if spec.size else spec.size_divisor
            model = add_labels(take_frames(model, spec.mean, spec.std, pad_to))
            manifest = replace(
                manifest,
                input=replace(spec, name=FRAME, kind="frame"),
                output=OutputSpec(manifest.output.logits, LABELS, CHECK),
            )
        source = self.folder / _ONNX_FILE
        onnx.save(model, source)
        files = [source] if manifest.engine == "onnxruntime" else self._convert(source)
        return self.write(files, manifest)

    def write(self, files: Sequence[Path], manifest: Manifest) -> Bundle:
        """Write a backend's files, the model first, as a bundle in the scratch folder."""
        return write_bundle(
            self.folder / f"{manifest.engine}-{manifest.precision}-{manifest.input.kind}",
            replace(manifest, model=files[0].name),
            {file.name: file for file in files},
            overwrite=True,
        )

    def _convert(self, source: Path) -> list[Path]:
        paths = get_backend_manager(self.manifest.engine).to_backend(
            ir_files=[str(source)], work_dir=str(self.folder), deploy_cfg=self.deploy_config
        )
        main = Path(paths[0])
        return [main, main.with_suffix(".bin")]


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
    accept_mismatch: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> Bundle:
    """Fold a student, export it through MMDeploy, pass it through the gate and write its bundle.

    Args:
        config: The student's plain config (not that of its distillation). Its validation images
            are needed, and for INT8 its training images.
        checkpoint: The student's checkpoint.
        out: The bundle's folder.
        backend: One of :data:`~lwam_mm.deploy.deploy_config.BACKENDS`; the fastest installed if
            None.
        dynamic: Export a model for images of any size; otherwise one for the size that the
            config's test pipeline resizes to.
        int8: Quantize it, calibrated on training images. Where that costs more than the gate
            allows, the layers that lose most return to float.
        deploy_config: A deploy config to use instead of ``backend`` and ``dynamic``, for example
            one with other limits.
        overwrite: Replace an existing bundle.
        accept_mismatch: Export a checkpoint even if it was trained with other classes, colours or
            preprocessing than the config says, or scores far below its validation in training.
        progress: Called with one line of text at each step.

    Returns:
        The bundle as read back; its figures hold the gate's report.

    Raises:
        FileNotFoundError: The config or the checkpoint is missing.
        ExportError: A bundle cannot do what the config asks for.
        CheckpointMismatchError, TrainingMismatchError, OutputClassesError: Checkpoint, config and
            data set do not fit together.
        lwam_mm.datasets.problem.DatasetError: The images cannot be used.
        GateError: The exported model differs from the trained one by more than the limits allow.
            No bundle was written.
        lwam_mm.quantization.quantize.QuantizationError: No INT8 model is within the limits.
        lwam_mm.runtime.BundleError: ``out`` is taken, or the exported file cannot be loaded.
    """
    config = _load(config)
    if deploy_config is None:
        size = None if dynamic else tested_size(config)
        deploy_config = load_deploy_config(backend or default_backend(), size)
    check_target(Path(out), overwrite)
    check_deployable(config, model_size(deploy_config))
    if int8 and deploy_config.backend_config.get("precision") == "FP16":
        raise ExportError("ncnn-fp16: INT8 is for ncnn without fp16; take --backend ncnn")
    limits = read_limits(deploy_config.gate.limits)
    with _scratch_folder() as folder:
        exporter = Exporter(config, checkpoint, deploy_config, folder)
        multi_branch, record = exporter.trained
        check_output_classes(multi_branch, exporter.manifest.classes, "test_dataloader")
        expected = TrainingRecord.of_config(config)
        check_training_record(record, expected, str(checkpoint), accept_mismatch)
        images = ValidationImages(config, deploy_config.gate.images, whole=exporter.size is None)
        stages = {MULTI_BRANCH: torch_stage(multi_branch), FOLDED: torch_stage(exporter.folded)}
        progress("fold and export")
        model = exporter.to_onnx()
        bundle = exporter.pack(model)
        stages[FLOAT] = bundle_stage(Predictor(bundle.root))
        if int8:
            from lwam_mm.deploy.accuracy_control import quantize_within

            calibration = calibration_images(
                config, exporter.manifest.input, deploy_config.quantization.images
            )
            progress(f"quantize on {len(calibration)} training images")
            pack = partial(exporter.pack, int8=True)
            bundle = quantize_within(
                model, calibration, pack, bundle, images, limits.get(INT8), progress
            )
            stages[INT8] = bundle_stage(Predictor(bundle.root))
        progress(f"compare {', '.join(stages)} on {len(images)} validation images")
        report = run_gate(stages, images, bundle.manifest.classes, limits, progress)
        limit = None if accept_mismatch else deploy_config.gate.get("remembered_miou")
        compare_with_training(report, record, limit, stages, images.all())
        if report.failures:
            raise GateError(report)
        progress(str(report))
        return write_bundle(
            out,
            replace(bundle.manifest, figures=dict(gate=report.to_json())),
            {name: bundle.root / name for name in bundle.manifest.files},
            overwrite=overwrite,
        )


def _load(config: str | Path | Config) -> Config:
    if not isinstance(config, Config):
        if not Path(config).is_file():
            raise FileNotFoundError(f"{config}: there is no such config file")
        config = Config.fromfile(config)
    refuse_distillation(config)
    config.model.setdefault("data_preprocessor", config.get("data_preprocessor"))
    init_default_scope(config.get("default_scope", "mmseg"))
    return config


@contextmanager
def _scratch_folder() -> Iterator[Path]:
    """Make a temporary folder; errors do not name its files, which nobody could look at."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made).resolve()
        try:
            yield folder
        except UserError as error:
            inside = re.compile(re.escape(str(folder)) + r"[\w./-]*\w")
            error.args = tuple(inside.sub("the exported model", str(arg)) for arg in error.args)
            raise
