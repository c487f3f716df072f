"""The stages of the demo, one after the other."""

from __future__ import annotations

import copy
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config

from lwam_mm.datasets.classes import CLASSES
from lwam_mm.deploy.exporter import export_bundle
from lwam_mm.distill.extract_student import extract_student
from lwam_mm.engine.launch import load_config, train
from lwam_mm.lab.demo.compare import ExportedModel, TrainedModel, compare, least_area
from lwam_mm.lab.demo.data import DemoData, adopt, draw
from lwam_mm.lab.demo.estimate import expected_time
from lwam_mm.lab.demo.light_net import START, draw_on_frames, light_config, starting_weights
from lwam_mm.lab.demo.monitored_build import monitor_build
from lwam_mm.lab.demo.report import write_report
from lwam_mm.lab.demo.schedule import set_iterations
from lwam_mm.lab.pages.pictures import overlays
from lwam_mm.lab.pages.sheet import write_sheet
from lwam_mm.lab.pages.table import models_table, text_table
from lwam_mm.runtime import Predictor
from lwam_mm.runtime.predict_files import predict_files
from lwam_mm.utils.paths import configs_folder
from lwam_mm.version import __version__

TEACHER = "unetpp-w8_1xb4-400i_powder-bed-synthetic-96x96.py"
STUDENT = "lwrnet-w16_1xb4-500i_powder-bed-synthetic-96x96.py"
DISTILLED = "kd-unetpp-w8_lwrnet-w16_1xb4-500i_powder-bed-synthetic-96x96.py"
IMAGES, SIZE, SEED = 160, 96, 0
LIGHT_ITERATIONS = 300
BUILD_LAYERS = 40


class Demo:
    """One run of the demo.

    On drawn layers it tells the whole story: teacher, student, distilled student, the light net
    beside them, a monitored build. On the user's own frames it fits the light net to them.

    Args:
        work_dir: Folder for all output.
        data: The user's own data set in the released layout; None draws one.
        classes: Names of its classes, the released six if None.
        iterations: Iterations of each training; the configs' or those that fit the data if None.
        roi: File of the region of interest on the user's own frames: polygons in JSON, or a mask.
    """

    def __init__(
        self,
        work_dir: str | Path,
        data: str | Path | None = None,
        classes: Sequence[str] | None = None,
        iterations: int | None = None,
        roi: str | Path | None = None,
    ) -> None:
        self._work_dir = Path(work_dir)
        self._own_data = Path(data) if data is not None else None
        self._classes = classes
        self._iterations = iterations
        self._roi = None if roi is None else Path(roi)
        self._stages = 9 if data is None else 5
        self._started = time.monotonic()
        self._stage = 0

    def run(self) -> Path:
        """Run all stages and return the report.

        Raises:
            lwam_mm.datasets.problem.DatasetError: If the user's data cannot be used as it is.
        """
        if self._own_data is None:
            return self._on_drawn_layers()
        return self._on_own_frames(self._own_data)

    def _on_own_frames(self, root: Path) -> Path:
        self._announce("data")
        data = adopt(root, self._classes, progress=_say, roi=self._roi)
        config = light_config(data, self._work_dir / "light_net", self._iterations)
        draw_on_frames(config, data, _say)

        self._announce("train the light net on your frames")
        config.load_from = starting_weights(config, data, _say)
        _say(expected_time(config, data))
        checkpoint = _train(config)

        self._announce("fold and export")
        bundle = self._export(config, checkpoint, "bundle", dynamic=True)
        models = [
            TrainedModel("trained", config, checkpoint, shown=True),
            TrainedModel("trained, folded", config, checkpoint, folded=True),
        ]
        if data.classes == CLASSES:
            models.insert(0, TrainedModel("as shipped", config, START, shown=True))
        exported = ExportedModel("trained, exported", bundle, "trained, folded")
        iterations = config.train_cfg.max_iters
        roi = "" if self._roi is None else shlex.quote(str(self._roi))
        commands = [
            f"python tools/predict.py {bundle} IMAGES --out DIR{roi and f' --roi {roi}'}",
            f"python tools/monitor.py init {bundle} WATCHED_FOLDER --out monitor.toml",
            "python tools/monitor.py run monitor.toml",
            f"make demo DATA={root} ITERATIONS={3 * iterations}{roi and f' ROI={roi}'}",
        ]
        report = self._evaluate_and_report(
            data,
            models,
            [exported],
            f"The light net on {root.name}",
            [
                f"Trained from {START} with {iterations} batches of crops, tested on whole "
                "frames at their own size. More frames, of more builds, help most."
            ],
            commands,
        )
        self._say_next(report, commands)
        return report

    def _on_drawn_layers(self) -> Path:
        self._announce("data")
        data = draw(self._work_dir / "data", images=IMAGES, size=SIZE, seed=SEED, progress=_say)
        teaching, studying = self._config(TEACHER, data), self._config(STUDENT, data)
        self._announce("train the teacher")
        teacher = _train(teaching)
        self._announce("train the student")
        student = _train(studying)
        self._announce("train the distilled student")
        distillation = _train(self._config(DISTILLED, data, {"model.teacher_ckpt": str(teacher)}))
        distilled = self._work_dir / "distilled_student.pth"
        extract_student(distillation, distilled)
        self._announce("train the light net")
        light = light_config(
            data, self._work_dir / "light_net", self._iterations or LIGHT_ITERATIONS
        )
        light.load_from = starting_weights(light, data, _say)
        light_net = _train(light)

        self._announce("fold and export")
        bundle = self._export(light, light_net, "bundle", dynamic=True)
        models = [
            TrainedModel("teacher", teaching, teacher, shown=True),
            TrainedModel("student", studying, student, shown=True),
            TrainedModel("distilled student", studying, distilled),
            TrainedModel("distilled, folded", studying, distilled, folded=True),
            TrainedModel("light net", light, light_net),
            TrainedModel("light net, folded", light, light_net, folded=True),
        ]
        exported = [
            ExportedModel(
                "distilled, exported",
                self._export(studying, distilled, "bundle_student"),
                "distilled, folded",
            ),
            ExportedModel("light net, exported", bundle, "light net, folded"),
        ]
        monitor = self._work_dir / "monitor"
        commands = [
            "make demo DATA=path/to/your/data",
            f"python tools/predict.py {bundle} IMAGES --out DIR",
            f"python tools/monitor.py run {monitor / 'monitor.toml'}",
        ]
        report = self._evaluate_and_report(
            data,
            models,
            exported,
            "LWAM: a heavy teacher, a light student, every powder layer",
            [
                "Layers of builds that training never saw. Teacher and students are narrow and "
                "trained for minutes: the figures show that the pipeline works, not what the "
                f"method can reach. The light net is SpreadNet S8, begun as {START}. It is made "
                f"for frames of a camera's size; on {SIZE} pixels it misses streaks one pixel wide."
            ],
            commands,
        )
        self._announce("monitor a drawn build")
        monitor_build(monitor, bundle, layers=BUILD_LAYERS, size=SIZE, seed=SEED, say=_say)
        self._say_next(f"{report} and {monitor / 'report.html'}", commands)
        return report

    def _config(self, name: str, data: DemoData, options: dict[str, str] | None = None) -> Config:
        path = configs_folder() / "demo" / name
        config = load_config(path, work_dir=self._work_dir / path.stem, options=options)
        data.point(config)
        if self._iterations is not None:
            set_iterations(config, self._iterations)
        return config

    def _export(
        self, config: Config, checkpoint: Path, folder: str, *, dynamic: bool = False
    ) -> Path:
        bundle = self._work_dir / folder
        export_bundle(config, checkpoint, bundle, dynamic=dynamic, overwrite=True, progress=_say)
        return bundle

    def _evaluate_and_report(
        self,
        data: DemoData,
        trained: Sequence[TrainedModel],
        exported: Sequence[ExportedModel],
        title: str,
        notes: Sequence[str],
        commands: Sequence[str],
    ) -> Path:
        """Compare the models and write tables and pictures; predict with the last bundle."""
        self._announce("evaluate on the held-out layers")
        models, samples = compare(trained, exported, data)

        self._announce("predict and report")
        bundle, predictions = exported[-1].bundle, self._work_dir / "predictions"
        predict_files(
            Predictor(bundle, roi=data.roi), [data.root / "images" / data.held_out], predictions
        )
        pictures = [overlays(sample, data.palette) for sample in samples]
        headings = ["layer", *list(pictures[0])[1:]]
        write_sheet(
            self._work_dir / "layers.png", headings, [list(row.values()) for row in pictures]
        )
        report, (width, height) = self._work_dir / "report.html", data.size
        write_report(
            report,
            models,
            samples,
            title=title,
            classes=data.classes,
            palette=data.palette,
            notes=[
                f"IoU in percent on {data.root.name} ({data.held_out}, "
                f"{data.images[data.held_out]} frames).",
                f"A region of at least {least_area(data.size)} pixels is found if a tenth of it "
                "has its class, and false (as many an image) if less than a tenth of it is right.",
                f"Median milliseconds of one frame of {width} x {height} pixels; the models take "
                f"turns, on {torch.get_num_threads()} threads. The torch rows are the network "
                "alone; the exported rows go from decoded image to class map.",
                *notes,
            ],
            facts={
                "lwam_mm": __version__,
                "torch": torch.__version__,
                "until this report": f"{self._elapsed()} (minutes:seconds)",
            },
            commands=commands,
        )
        _say(f"\n{text_table(*models_table(models, data.classes))}\n")
        return report

    def _say_next(self, pages: object, commands: Sequence[str]) -> None:
        _say(f"\nDone after {self._elapsed()}. Open {pages}, then for instance:")
        for command in commands:
            _say(f"  {command}")

    def _announce(self, stage: str) -> None:
        self._stage += 1
        _say(f"\n=== {self._stage}/{self._stages} {stage} ({self._elapsed()} so far) ===")

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        return f"{minutes}:{seconds:02d}"


def _train(config: Config) -> Path:
    # The runner changes its config.
    return train(copy.deepcopy(config))


def _say(line: str) -> None:
    print(line, flush=True)
