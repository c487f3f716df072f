"""The networks and bundles to measure, with weights and images that make their speed realistic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import onnx
import onnx.parser
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.utils.flop_counter import FlopCounterMode

from lwam_mm.datasets.synthetic.build import draw_layer, make_build
from lwam_mm.deploy.deploy_config import load_deploy_config
from lwam_mm.deploy.exporter import Exporter
from lwam_mm.models import reparameterize
from lwam_mm.models.checkpoint import load_weights, save_checkpoint
from lwam_mm.quantization.calibration import calibration_images
from lwam_mm.quantization.quantize import quantize
from lwam_mm.quantization.silent_nncf import import_nncf, quiet_nncf
from lwam_mm.runtime import Bundle, read_image
from lwam_mm.runtime.engines.openvino_core import import_openvino, openvino_core
from lwam_mm.runtime.pre_and_postprocessing import to_batch
from lwam_mm.utils.png_files import write_png

FRAME = (3302, 3772)
"""Height and width in pixels of a whole camera frame, for models of any size."""

_SEED = 0
_LARGEST_CROP = 512
_CALIBRATION_IMAGES = 64


def draw_layers(folder: Path, size: int, count: int) -> list[Path]:
    """Draw powder layers of ``size`` x ``size`` pixels as grey 8-bit PNG files."""
    build = make_build(_SEED, 0, size, count)
    return [
        write_png(folder / f"layer{index}.png", draw_layer(build, index)[0])
        for index in range(count)
    ]


def draw_frame(layer: Path, path: Path) -> Path:
    """Tile a layer to a grey PNG file of a whole camera frame, :data:`FRAME`."""
    pixels = cv2.imread(str(layer), cv2.IMREAD_GRAYSCALE)
    repeats = [-(-side // have) for side, have in zip(FRAME, pixels.shape, strict=True)]
    return write_png(path, np.tile(pixels, repeats)[: FRAME[0], : FRAME[1]])


def build(config: str | Path | Config, checkpoint: str | Path, *, folded: bool) -> nn.Module:
    """Build a segmentor with the weights of a checkpoint, in eval mode.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        lwam_mm.models.checkpoint.CheckpointMismatchError: The checkpoint does not fit.
    """
    model = _without_weights(config)
    load_weights(model, checkpoint)
    return reparameterize(model, inplace=True) if folded else model


def image_for(model: nn.Module, picture: str | Path) -> Tensor:
    """Read an image as input of a segmentor: float32 (1, 3, H, W), RGB, normalised."""
    image = torch.from_numpy(read_image(picture))[None].permute(0, 3, 1, 2)
    return _normalised(model, image).contiguous()


def logits(model: nn.Module, image: Tensor) -> Tensor:
    """Return a segmentor's logits (1, C, H, W) at the image's own size, as the exporter does."""
    found = model(image, mode="tensor")
    if found.shape[2:] == image.shape[2:]:
        return found
    align_corners = model.decode_head.align_corners
    return resize(found, image.shape[2:], mode="bilinear", align_corners=align_corners)


def write_random_weights(config: Config, pictures: Sequence[Path], path: Path) -> None:
    """Write a checkpoint with random weights, its batch-norm statistics taken from images.

    With the statistics of a fresh model, activations grow or vanish from layer to layer, and
    processors are far slower at denormal numbers. It takes two or more images of one size.
    """
    torch.manual_seed(_SEED)
    model = _without_weights(config)
    images = np.stack([read_image(picture) for picture in pictures])
    images = images[:, :_LARGEST_CROP, :_LARGEST_CROP]
    for norm in model.modules():
        if isinstance(norm, _BatchNorm):
            norm.train()
            norm.momentum = None  # a plain mean, without the initial statistics
            norm.reset_running_stats()
    with torch.no_grad():
        model(_normalised(model, torch.from_numpy(images).permute(0, 3, 1, 2)), mode="tensor")
    save_checkpoint(model.state_dict(), path)


class Counts(NamedTuple):
    """What one image of a network takes, whatever short cut an engine finds.

    Attributes:
        parameters: Number of parameters, without auxiliary heads.
        macs: Multiply-accumulates of convolutions and matrix products as they are defined.
        elements: Numbers that the layers with weights read and write, the weights included.
    """

    parameters: int
    macs: int
    elements: int


def count(config: Config, size: int, *, folded: bool) -> Counts:
    """Count what one image takes; ``size`` is its height and width in pixels."""
    model = _without_weights(config)
    if folded:
        model = reparameterize(model)
    unused = sum(p.numel() for n, p in model.named_parameters() if n.startswith("auxiliary_head."))
    parameters = sum(p.numel() for p in model.parameters()) - unused
    model.to("meta")
    return Counts(parameters, count_macs(model, size), count_elements(model, size))


def count_macs(model: nn.Module, size: int) -> int:
    """Count the multiply-accumulates of a segmentor on the "meta" device; see :func:`count`."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.empty(1, 3, size, size, device="meta"), mode="tensor")
    return counter.get_total_flops() // 2


def count_elements(model: nn.Module, size: int) -> int:
    """Count what convolutions and linear layers read and write; see :class:`Counts`.

    The products within an attention are left out: engines compute them without writing them.
    """
    counted = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        counted.append(inputs[0].numel() + output.numel() + layer.weight.numel())

    layers = [m for m in model.modules() if isinstance(m, _ConvNd | nn.Linear)]
    handles = [layer.register_forward_hook(note) for layer in layers]
    with torch.no_grad():
        model(torch.empty(1, 3, size, size, device="meta"), mode="tensor")
    for handle in handles:
        handle.remove()
    return sum(counted)


class Network:
    """A segmentor with its weights.

    Args:
        config: Its config.
        checkpoint: Its weights; random if None.
        pictures: Drawn layers of ``size``.
        folder: Folder to make and write to.
        size: Height and width in pixels to measure at.
    """

    def __init__(
        self,
        config: Config,
        checkpoint: Path | None,
        pictures: Sequence[Path],
        folder: Path,
        size: int,
    ) -> None:
        self.config, self.trained = config, checkpoint is not None
        self.pictures, self.folder, self.size = list(pictures), folder, size
        self._given = checkpoint
        folder.mkdir(parents=True)

    @cached_property
    def checkpoint(self) -> Path:
        """File of the weights."""
        if self._given is not None:
            return self._given
        path = self.folder / "random.pth"
        write_random_weights(self.config, self.pictures, path)
        return path

    @cached_property
    def config_file(self) -> Path:
        """File of the config, for other processes."""
        path = self.folder / "config.py"  # JSON would turn tuples into lists
        self.config.dump(path)
        return path

    def count(self, *, folded: bool) -> Counts:
        """Count what one image takes; see :func:`count`."""
        return count(self.config, self.size, folded=folded)

    def exporter(
        self, classes: Sequence[str], backend: str = "openvino", *, dynamic: bool = False
    ) -> Exporter:
        """Return the exporter for a backend, at the size to measure at or for any size."""
        folder = self.folder / f"export-{backend}{'-dynamic' if dynamic else ''}"
        folder.mkdir(exist_ok=True)
        deploy_config = load_deploy_config(backend, None if dynamic else (self.size, self.size))
        return Exporter(self.config, self.checkpoint, deploy_config, folder, classes)


class Student:
    """The student's exports and bundles, each made once and only on demand."""

    def __init__(
        self,
        network: Network,
        classes: Sequence[str],
        progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.network, self.classes, self._progress = network, tuple(classes), progress
        self._bundles: dict[tuple[str, bool], Bundle] = {}

    @cached_property
    def export(self) -> onnx.ModelProto:
        """The float export at the size to measure at."""
        self._progress("export the student")
        return self.network.exporter(self.classes).to_onnx()

    @cached_property
    def calibration(self) -> list[np.ndarray]:
        """Calibration images: training images for trained weights, otherwise drawn layers."""
        network = self.network
        spec = network.exporter(self.classes).manifest.input
        if network.trained:
            return calibration_images(network.config, spec, _CALIBRATION_IMAGES)
        return [to_batch(read_image(picture), spec) for picture in network.pictures]

    @cached_property
    def export_int8(self) -> onnx.ModelProto:
        """The INT8 export at the size to measure at."""
        self._progress("quantize the student")
        return quantize(self.export, self.calibration)

    def bundle(self, key: str, *, frames: bool = False) -> Bundle:
        """Return the bundle of a backend, whose name ends in ``"-int8"`` for INT8.

        With ``frames`` it maps a frame to labels, as those of ``tools/deploy.py`` do; otherwise a
        tensor to logits.
        """
        if (key, frames) not in self._bundles:
            int8 = key.endswith("-int8")
            model = self.export_int8 if int8 else self.export
            exporter = self.network.exporter(self.classes, key.removesuffix("-int8"))
            self._bundles[key, frames] = exporter.pack(model, int8=int8, frames=frames)
        return self._bundles[key, frames]

    def dynamic_bundle(self, key: str) -> Bundle:
        """Export the OpenVINO bundle for images of any size, large ones in tiles."""
        self._progress(f"export the student for images of any size ({key})")
        exporter = self.network.exporter(self.classes, dynamic=True)
        model, int8 = exporter.to_onnx(), key.endswith("-int8")
        return exporter.pack(quantize(model, self.calibration) if int8 else model, int8=int8)


def pack_peer_int8(
    exporter: Exporter, model: onnx.ModelProto, images: Sequence[np.ndarray], transformer: bool
) -> Bundle:
    """Quantize any network's export as NNCF does by default and write its OpenVINO bundle.

    Args:
        exporter: The network's exporter to OpenVINO.
        model: The plain export.
        images: Calibration images as the model takes them, float32 (1, 3, H, W) each.
        transformer: Whether it has attention, which NNCF quantizes differently.
    """
    nncf = import_nncf()
    with quiet_nncf():
        quantized = nncf.quantize(
            openvino_core().read_model(model.SerializeToString()),
            nncf.Dataset(list(images)),
            subset_size=len(images),
            model_type=nncf.ModelType.TRANSFORMER if transformer else None,
        )
    main = exporter.folder / "model.xml"
    import_openvino().save_model(quantized, main, compress_to_fp16=False)
    files = [main, main.with_suffix(".bin")]
    return exporter.write(files, replace(exporter.manifest, precision="int8"))


def products(rows: int, side: int, depth: int, *, quantized: bool) -> onnx.ModelProto:
    """Return a chain of products of one matrix with square weights as an ONNX model.

    It is what a network without its geometry would be.

    Args:
        rows: Rows of the matrix; input and output are float32 (rows, side).
        side: Rows and columns of each weight matrix.
        depth: Number of products.
        quantized: Whether each factor is first quantized to INT8, symmetrically; the values then
            stay quantized from product to product, as they do in a network.
    """
    rng = np.random.default_rng(0)
    constants = {}
    if quantized:
        weights_scale = np.float32(4 / side**0.5 / 127)
        constants = dict(values=np.float32(4 / 127), weights=weights_scale, zero=np.int8(0))
    nodes = []
    for i in range(depth):
        square = (rng.standard_normal((side, side)) / side**0.5).astype(np.float32)
        value = f"v{i}"
        if quantized:
            levels = np.clip(np.rint(square / weights_scale), -127, 127)
            constants[f"l{i}"] = levels.astype(np.int8)
            value = f"r{i}"
            nodes += [
                f"q{i} = QuantizeLinear(v{i}, values, zero)",
                f"r{i} = DequantizeLinear(q{i}, values, zero)",
                f"w{i} = DequantizeLinear(l{i}, weights, zero)",
            ]
        else:
            constants[f"w{i}"] = square
        nodes.append(f"v{i + 1} = MatMul({value}, w{i})")
    shape = f"float[{rows},{side}]"
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 17]>'
        f"products ({shape} v0) => ({shape} v{depth}) {{ {' '.join(nodes)} }}"
    )
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _without_weights(config: str | Path | Config) -> nn.Module:
    if not isinstance(config, Config):
        config = Config.fromfile(config)
    init_default_scope(config.get("default_scope", "mmseg"))
    return revert_sync_batchnorm(MODELS.build(config.model)).eval()


def _normalised(model: nn.Module, bgr: Tensor) -> Tensor:
    preprocessor = model.data_preprocessor
    return (bgr[:, [2, 1, 0]].float() - preprocessor.mean) / preprocessor.std
