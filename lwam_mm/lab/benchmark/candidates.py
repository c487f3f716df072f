"""What the benchmark measures: teacher, student, given bundles, MMSegmentation's networks.

And what bounds them: the machine's roofline, plain matrix products in the same engines.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mmseg
import onnx
from mmengine.config import Config

from lwam_mm.lab.benchmark.models import Network, Student, pack_peer_int8, products
from lwam_mm.lab.benchmark.timing import Progress, Timing
from lwam_mm.lab.benchmark.worker import Task, describe_error
from lwam_mm.runtime import Bundle, read_bundle
from lwam_mm.utils.errors import UserError
from lwam_mm.utils.paths import configs_folder

EAGER = {
    "teacher": "teacher, eager",
    "multi-branch": "student, multi-branch, eager",
    "folded": "student, folded, eager",
    "channels-last": "student, folded, eager, channels-last",
}
ENGINES = {
    "onnxruntime": "student, ONNX Runtime",
    "onnxruntime-int8": "student, ONNX Runtime INT8",
    "openvino": "student, OpenVINO",
    "openvino-int8": "student, OpenVINO INT8",
    "ncnn": "student, ncnn",
    "ncnn-int8": "student, ncnn INT8",
    "ncnn-fp16": "student, ncnn, fp16 storage",
}
FILES = {
    "openvino-file": "student, OpenVINO, PNG to class map",
    "openvino-int8-file": "student, OpenVINO INT8, PNG to class map",
}
ROWS = {**EAGER, **ENGINES, **FILES}
"""Titles of the candidates of teacher and student by key, in the order of the table."""

FAMILY = {
    "spreadnet-s4": "spreadnet_s4",
    "spreadnet-s8": "spreadnet",
    "spreadnet-s20": "spreadnet_s20",
}
"""Sizes of SpreadNet by their name on the command line, and their files in ``_base_/models``."""
_FAMILY_ROWS = ("folded", "openvino", "openvino-int8", "openvino-int8-file", "ncnn", "ncnn-int8")

# Of the shapes that were tried, the one with the most products a second: the weights fit into the
# cache, and multiplying the matrix takes longer than moving it.
PRODUCT_ROWS, PRODUCT_SIDE = 8192, 512

COPY = "memory-copy"
COPIED = 8 * 2**20  # bytes; a feature map of 32 channels at a quarter of 1024x1024 in float32


@dataclass(frozen=True)
class Candidate:
    """Something to measure in its own process, and its timing. None stands for "unknown".

    Attributes:
        key: Name on the command line and in the targets.
        title: Name on the page.
        task: What the process runs; None if it cannot be made.
        parameters: Number of parameters.
        macs: Multiply-accumulates of one call.
        elements: Numbers that its layers with weights read and write in one call.
        element_bytes: Size of each.
        megabytes: Size of the model's files in MB (10^6 bytes).
        roofline: Key of the matrix products that bound its speed.
        miou: Mean IoU in percent.
        note: What a reader has to know, such as why there is no task.
        timing: What was measured; empty before, and if there is no task.
    """

    key: str
    title: str
    task: Task | None = None
    parameters: int | None = None
    macs: int | None = None
    elements: int | None = None
    element_bytes: int = 4
    megabytes: float | None = None
    roofline: str | None = None
    miou: float | None = None
    note: str = ""
    timing: Timing = field(default_factory=Timing)

    @property
    def rate(self) -> float | None:
        """Multiply-accumulates per second at the median time; None if unknown."""
        macs, milliseconds = self.macs, self.timing.median
        return None if macs is None or milliseconds is None else 1000 * macs / milliseconds

    @property
    def traffic(self) -> int | None:
        """Bytes that one call reads and writes if no layer finds its input in a cache."""
        return self.elements and self.elements * self.element_bytes

    @property
    def bandwidth(self) -> float | None:
        """Bytes of the traffic per second at the median time; None if unknown."""
        traffic, milliseconds = self.traffic, self.timing.median
        return None if traffic is None or milliseconds is None else 1000 * traffic / milliseconds

    @property
    def notes(self) -> list[str]:
        """What a reader has to know, errors included."""
        error, calls = self.timing.error, len(self.timing.milliseconds)
        if error and calls:
            error = f"failed after {calls} calls: {error}"
        return [note for note in (self.note, error) if note]


@dataclass(frozen=True)
class Peer:
    """One of MMSegmentation's lightweight networks; NNCF quantizes transformers differently."""

    title: str
    config: str
    transformer: bool = False


PEERS: dict[str, Peer] = {
    "fast-scnn": Peer("Fast-SCNN", "fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py"),
    "bisenetv2": Peer("BiSeNetV2", "bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py"),
    "stdc1": Peer("STDC1", "stdc/stdc1_4xb12-80k_cityscapes-512x1024.py"),
    "pidnet-s": Peer("PIDNet-S", "pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py"),
    "ddrnet-23-slim": Peer(
        "DDRNet-23-slim", "ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py"
    ),
    "segformer-b0": Peer(
        "SegFormer-B0", "segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py", True
    ),
    "cgnet": Peer("CGNet", "cgnet/cgnet_fcn_4xb8-60k_cityscapes-512x1024.py"),
}
"""Peers by their name on the command line."""


def peer_config(name: str, num_classes: int) -> Config:
    """Load a peer's config for inference: no pretrained weights, no auxiliary heads, whole images.

    Raises:
        FileNotFoundError: The installed MMSegmentation has no such config.
    """
    path = Path(mmseg.__file__).parent / ".mim" / "configs" / PEERS[name].config
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: the installed MMSegmentation lacks its configs; install mmsegmentation 1.2.2"
        )
    config = Config.fromfile(path)
    for node in _dicts(config.model):
        if (node.get("init_cfg") or {}).get("type") == "Pretrained":
            node["init_cfg"] = None
    config.model.pop("auxiliary_head", None)
    config.model.pop("pretrained", None)
    config.model.decode_head.num_classes = num_classes
    config.model.test_cfg = dict(mode="whole")
    return config


class CandidateMaker:
    """Builds and exports the candidates; a note says why one cannot be made.

    Each may use ``threads`` threads; the peers' files go to ``folder``.
    """

    def __init__(
        self,
        teacher: Network,
        student: Student,
        threads: int,
        folder: Path,
        progress: Progress = lambda line: None,
    ) -> None:
        self._teacher, self._student, self._folder = teacher, student, folder
        self._progress = progress
        self._common = dict(picture=str(student.network.pictures[0]), threads=threads)

    def candidates(self, keys: Sequence[str]) -> list[Candidate]:
        """Make the candidates of teacher and student; ``keys`` are keys of :data:`ROWS`."""
        made: list[Candidate] = []
        for candidate in (Candidate(key, ROWS[key]) for key in keys):
            with failure_noted([*made, candidate], made):
                made.append(self._make(candidate))
        return made

    def peer_candidates(self, name: str) -> list[Candidate]:
        """Make a peer's candidates: eager, OpenVINO in float and in INT8."""
        peer, student = PEERS[name], self._student
        self._progress(f"build and export {peer.title}")
        made: list[Candidate] = []
        planned = [
            Candidate(name, f"{peer.title}, eager"),
            Candidate(f"{name}-openvino", f"{peer.title}, OpenVINO"),
            Candidate(f"{name}-openvino-int8", f"{peer.title}, OpenVINO INT8"),
        ]
        with failure_noted(planned, made), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on losses and samplers, which training needs
            plain = student.network
            config = peer_config(name, len(student.classes))
            network = Network(config, None, plain.pictures, self._folder / name, plain.size)
            made.append(self._in_torch(planned[0], network, folded=False))
            known = network.count(folded=False)._asdict()
            planned[:] = [replace(candidate, **known) for candidate in planned]
            exporter = network.exporter(student.classes)
            model = exporter.to_onnx()
            made.append(self._of_bundle(planned[1], exporter.pack(model, frames=False)))
            bundle = pack_peer_int8(exporter, model, student.calibration, peer.transformer)
            made.append(self._of_bundle(planned[2], bundle))
        return made

    def family_candidates(self, name: str) -> list[Candidate]:
        """Make the candidates of a size of SpreadNet: the student's rows, with another network."""
        self._progress(f"build and export {name}")
        plain, classes = self._student.network, self._student.classes
        config = copy.deepcopy(plain.config)
        config.model = Config.fromfile(
            configs_folder() / "_base_" / "models" / f"{FAMILY[name]}.py"
        ).model
        config.model.decode_head.num_classes = len(classes)
        network = Network(config, None, plain.pictures, self._folder / name, plain.size)
        maker = copy.copy(self)
        maker._student = Student(network, classes, self._progress)
        title = name.replace("spreadnet-s", "SpreadNet S")
        return [
            replace(
                candidate,
                key=f"{name}-{candidate.key}",
                title=candidate.title.replace("student", title),
            )
            for candidate in maker.candidates(_FAMILY_ROWS)
        ]

    def bundle_candidate(self, path: str | Path) -> Candidate:
        """Make the candidate of an existing bundle; its mIoU is the one that its gate measured.

        Raises:
            lwam_mm.runtime.BundleError: The bundle is missing or damaged.
        """
        bundle = read_bundle(path)
        engine, precision = bundle.manifest.engine, bundle.manifest.precision
        stages = bundle.manifest.figures.get("gate", {}).get("stages", {})
        miou = stages.get("INT8" if precision == "int8" else "exported", {}).get("mIoU")
        title = f"bundle {bundle.root.name} ({engine}, {precision})"
        return self._of_bundle(Candidate(f"bundle:{path}", title, miou=miou), bundle)

    def _make(self, candidate: Candidate) -> Candidate:
        key, student = candidate.key, self._student
        if key in EAGER:
            network = self._teacher if key == "teacher" else student.network
            return self._in_torch(candidate, network, folded=key in ("folded", "channels-last"))
        candidate = replace(candidate, **student.network.count(folded=True)._asdict())
        if key in FILES:
            bundle = student.bundle(key.removesuffix("-file"), frames=True)
            return self._of_bundle(candidate, bundle, "file_to_map")
        return self._of_bundle(candidate, student.bundle(key))

    def _in_torch(self, candidate: Candidate, network: Network, *, folded: bool) -> Candidate:
        task = self._task(
            "torch_inference",
            config=str(network.config_file),
            checkpoint=str(network.checkpoint),
            folded=folded,
            channels_last=candidate.key == "channels-last",
        )
        roofline = roofline_key("torch", "float32")
        counts = network.count(folded=folded)._asdict()
        return replace(candidate, task=task, roofline=roofline, **counts)

    def _of_bundle(
        self, candidate: Candidate, bundle: Bundle, function: str = "bundle_inference"
    ) -> Candidate:
        manifest = bundle.manifest
        return replace(
            candidate,
            task=self._task(function, bundle=str(bundle.root)),
            megabytes=sum((bundle.root / name).stat().st_size for name in manifest.files) / 1e6,
            element_bytes={"int8": 1, "float16": 2}.get(manifest.precision, 4),
            roofline=roofline_key(manifest.engine, manifest.precision),
        )

    def _task(self, function: str, **arguments: Any) -> Task:
        return dict(
            function=f"lwam_mm.lab.benchmark.worker:{function}", **arguments, **self._common
        )


@contextlib.contextmanager
def failure_noted(planned: Sequence[Candidate], made: list[Candidate]) -> Iterator[None]:
    """Catch an error and add the planned candidates that are not made, with the error as note."""
    try:
        yield
    except Exception as error:
        note = f"not measured: {describe_error(error)}"
        made += [replace(candidate, note=note) for candidate in planned[len(made) :]]


def roofline_key(engine: str, precision: str) -> str:
    """Return the key of the matrix products that a candidate's rate is compared with.

    ncnn has no matrix products to call: it is compared with OpenVINO's, the fastest.
    """
    engine = "openvino" if engine == "ncnn" else engine
    return f"products-{engine}" + ("-int8" if precision == "int8" else "")


def roofline_candidate(key: str, folder: Path, threads: int) -> Candidate:
    """Return the matrix products of a :func:`roofline_key` as a candidate.

    The ONNX file that an engine other than torch needs goes to ``folder``.
    """
    engine, _, int8 = key.removeprefix("products-").partition("-")
    depth = 8 if int8 else 2
    task = dict(function=f"lwam_mm.lab.benchmark.worker:{engine}_products", threads=threads)
    if engine == "torch":
        task |= dict(rows=PRODUCT_ROWS, side=PRODUCT_SIDE, depth=depth)
    else:
        path = folder / f"{key}.onnx"
        onnx.save(products(PRODUCT_ROWS, PRODUCT_SIDE, depth, quantized=bool(int8)), path)
        task |= dict(model=str(path))
    name = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}.get(engine, engine)
    title = f"matrix products, {name} {'INT8' if int8 else 'float32'}"
    return Candidate(key, title, task, macs=PRODUCT_ROWS * PRODUCT_SIDE**2 * depth)


def copy_candidate(threads: int) -> Candidate:
    """Return the copying of memory, which bounds a network as its matrix products do."""
    task = dict(function="lwam_mm.lab.benchmark.worker:memory_copy", threads=threads, size=COPIED)
    return Candidate(COPY, "copying memory", task, elements=2 * COPIED, element_bytes=1)


def with_miou(candidates: Sequence[Candidate], miou: Mapping[str, float]) -> list[Candidate]:
    """Fill in mIoUs in percent by key; all forms of one model share its mIoU."""
    model = {"channels-last": "folded"} | {key: key.removesuffix("-file") for key in FILES}
    return [replace(c, miou=miou.get(model.get(c.key, c.key), c.miou)) for c in candidates]


def check_figures(parser: ArgumentParser, args: Namespace) -> None:
    """End a benchmark's tool with a message if its counts or its size make no sense."""
    for name in ("threads", "rounds", "images", "batch"):
        value = getattr(args, name, 1)
        if value < 1:
            parser.error(f"--{name} {value}: must be at least 1")
    if args.size % 16 or args.size < 32:
        parser.error(f"--size {args.size}: must be a multiple of 16, 32 or more")


def check_keys(keys: Sequence[str], known: Collection[str], option: str) -> None:
    """Check that the values of a command-line option are known keys.

    Raises:
        UserError: One is not.
    """
    for key in keys:
        if key not in known:
            raise UserError(f"{option} {key}: no such row; choose from {', '.join(known)}")


def _dicts(tree: Any) -> Iterator[dict]:
    if isinstance(tree, dict):
        yield tree
        tree = tree.values()
    elif not isinstance(tree, list | tuple):
        return
    for branch in tree:
        yield from _dicts(branch)
