"""A hook that draws predictions and keeps the data set's sub-folders in their names."""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from pathlib import Path

import cv2
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.visualization import LocalVisBackend
from mmseg.engine.hooks import SegVisualizationHook
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample
from torch.utils.data import Dataset

from lwam_mm.datasets.decode import load_image


@HOOKS.register_module()
class PredictionPicturesHook(SegVisualizationHook):
    """mmseg's hook for pictures of predictions, with sub-folders as in the data set.

    mmseg names pictures by the image's file alone, so that ``camB/0001.png`` overwrites
    ``camA/0001.png``. Here the name starts below the folder that all images have in common, in
    pictures and in the masks of ``SegmentationMetric(output_dir=...)``. Images are decoded as in
    training. Arguments are those of mmseg's hook.
    """

    def before_val(self, runner: Runner) -> None:
        """Find the common folder of the images."""
        self._prepare(runner, runner.val_dataloader.dataset, runner.val_evaluator)

    def before_test(self, runner: Runner) -> None:
        """Find the common folder of the images."""
        self._prepare(runner, runner.test_dataloader.dataset, runner.test_evaluator)

    def _prepare(self, runner: Runner, dataset: Dataset, evaluator: object) -> None:
        metrics = [metric for metric in evaluator.metrics if hasattr(metric, "image_root")]
        if self.draw or any(metric.output_dir for metric in metrics):
            self._root = common_folder(dataset)
            self._white_level = getattr(dataset, "white_level", None)
            for metric in metrics:
                metric.image_root = self._root

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict,
        outputs: Sequence[SegDataSample],
        mode: str = "val",
    ) -> None:
        """Draw the predictions of a batch, every ``interval`` batches."""
        if (
            not self.draw
            or mode == "train"
            or not self.every_n_inner_iters(batch_idx, self.interval)
        ):
            return
        for output in outputs:
            path = Path(output.img_path)
            inside = Path(os.path.relpath(path, self._root))
            name = (inside.parent / f"{mode}_{path.name}").as_posix()
            for backend in self._visualizer._vis_backends.values():
                if isinstance(backend, LocalVisBackend):
                    # It makes its own folder only, and OpenCV does not report a failure.
                    Path(backend.experiment._img_save_dir, name).parent.mkdir(
                        parents=True, exist_ok=True
                    )
            image = load_image(path, self._white_level)
            self._visualizer.add_datasample(
                name,
                cv2.cvtColor(image, cv2.COLOR_BGR2RGB),
                data_sample=output,
                show=self.show,
                wait_time=self.wait_time,
                step=runner.iter,
            )


def common_folder(dataset: Dataset) -> Path:
    """Return the innermost folder that holds all images of a data set."""
    paths = {dataset.get_data_info(index)["img_path"] for index in range(len(dataset))}
    return Path(os.path.commonpath({Path(path).absolute().parent for path in paths}))


def use_prediction_pictures(config: Config) -> None:
    """Have a config use :class:`PredictionPicturesHook` in place of mmseg's hook."""
    if config.get("default_hooks") is None:
        config.default_hooks = {}
    hook = config.default_hooks.get("visualization") or dict(type="SegVisualizationHook")
    kind = hook["type"]
    name = kind if isinstance(kind, str) else kind.__name__
    if name.rpartition(".")[2] == "SegVisualizationHook":
        config.default_hooks.visualization = {**hook, "type": "PredictionPicturesHook"}
