"""The light net, fitted to a data set and started from the weights that come with the package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from lwam_mm.datasets.classes import CLASSES
from lwam_mm.engine.launch import load_config
from lwam_mm.lab.demo.data import DemoData
from lwam_mm.lab.demo.schedule import set_iterations
from lwam_mm.models.checkpoint import read_checkpoint, save_checkpoint
from lwam_mm.models.input_size import STRIDE
from lwam_mm.models.shipped_checkpoints import SCHEME
from lwam_mm.utils.paths import configs_folder

CONFIG = "spreadnet/spreadnet-s8_1xb4-2500i_powder-bed-drawn-512x512.py"
START = f"{SCHEME}powder-bed-drawn"
_CROP, _BATCH = 512, 4
_CLASSIFIER = "decode_head.conv_seg."


def light_config(data: DemoData, work_dir: Path, iterations: int | None = None) -> Config:
    """Return a config that trains on crops and tests on whole frames at their own size.

    A batch has four crops of 512 x 512 pixels or, of smaller frames, up to sixteen smaller crops.

    Args:
        data: The data set.
        work_dir: Folder of the training.
        iterations: Those of the training; if None, a hundred crops a frame, within 300 to 1500
            iterations.
    """
    config = load_config(configs_folder() / CONFIG, work_dir=work_dir)
    data.point(config)
    crop = crop_side(data.size)
    loader = config.train_dataloader
    loader.batch_size = min(4 * _BATCH, _BATCH * _CROP**2 // crop**2)
    for transform in loader.dataset.pipeline:
        if transform.type == "RandomResize":
            transform.scale = data.size
        elif transform.type == "RandomDefectCrop":
            transform.crop_size = (crop, crop)
    if data.classes != CLASSES:
        config.model.decode_head.loss_decode[0].class_weight = list(data.class_weight)
    if iterations is None:
        iterations = min(1500, max(300, 100 * data.images["train"] // loader.batch_size))
    set_iterations(config, iterations)
    # The last weights are taken, as a cosine ends best. To choose among more by frames that the
    # report may be made of would flatter it.
    config.train_cfg.val_interval = iterations
    return config


def draw_on_frames(config: Config, data: DemoData, say: Callable[[str], None]) -> None:
    """Let the training draw defects on the powder of the frames.

    Only if it is known where powder lies, since defects on walls would teach to look for them
    there, and if the classes are the paper's.
    """
    if data.roi is not None and data.classes == CLASSES:
        pipeline = config.train_dataloader.dataset.pipeline
        loaded = [step.type for step in pipeline].index("LoadIndexMask") + 1
        pipeline.insert(loaded, ConfigDict(type="DrawDefects", roi=data.roi))
        say("defects are drawn on the frames of the training, beside those that are labelled")


def crop_side(size: tuple[int, int]) -> int:
    """Return height and width of the crops of frames of a size, px: 512 or, if smaller, less."""
    return min(_CROP, max(STRIDE, min(size) // STRIDE * STRIDE))


def starting_weights(config: Config, data: DemoData, say: Callable[[str], None]) -> str:
    """Return the checkpoint to start from; with other classes, one with a new classifier."""
    if data.classes == CLASSES:
        say(f"start from {START}")
        return START
    init_default_scope(config.default_scope)
    model = MODELS.build(config.model)
    model.init_weights()
    new = {name: w for name, w in model.state_dict().items() if name.startswith(_CLASSIFIER)}
    path = Path(config.work_dir) / "start.pth"
    save_checkpoint({**read_checkpoint(START).weights, **new}, path)
    say(f"start from {START} without {', '.join(new)}: these are new, since the classes differ")
    return str(path)
