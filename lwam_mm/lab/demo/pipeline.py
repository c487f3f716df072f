"""The stages of the demo, one after the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config

from lwam_mm.deploy.exporter import export_bundle
from lwam_mm.distill.extract_student import extract_student
from lwam_mm.engine.launch import load_config, train
from lwam_mm.lab.demo.compare import Comparison, Contender, compare
from lwam_mm.lab.demo.data import DemoData, adopt, draw
from lwam_mm.lab.pages.demo_page import write_report
from lwam_mm.lab.pages.picture_sheet import write_sheet
from lwam_mm.lab.pages.table import models_table, text_table
from lwam_mm.runtime import Predictor
from lwam_mm.runtime.predict_files import predict_files
from lwam_mm.utils.paths import configs_folder
from lwam_mm.version import __version__

TEACHER = "unetpp-w8_1xb4-400i_powder-bed-synthetic-96x96.py"
STUDENT = "lwrnet-w16_1xb4-1000i_powder-bed-synthetic-96x96.py"
DISTILLED = "kd-unetpp-w8_lwrnet-w16_1xb4-1000i_powder-bed-synthetic-96x96.py"
EXPORTED = "distilled, exported"
IMAGES, SIZE, SEED = 160, 96, 0
_STAGES = 7


class Road:
    """One run of the demo: what its stages hand on to each other.

    Args:
        work_dir: folder for everything that the demo makes.
        data: a user's own data set in the released layout; drawn if None.
        classes: the names of its classes; the released six if None.
        iterations: of each of the three trainings; the configs' if None.
    """

    def __init__(
        self,
        work_dir: str | Path,
        data: str | Path | None = None,
        classes: Sequence[str] | None = None,
        iterations: int | None = None,
    ) -> None:
        self.work_dir = Path(work_dir)
        self.own_data = Path(data) if data is not None else None
        self.classes = classes
        self.iterations = iterations
        self.started = time.monotonic()
        self.stage = 0

    def run(self) -> Path:
        """Go the whole road.

        Returns:
            The report.

        Raises:
            lwam_mm.datasets.problem.DatasetError: the user's data cannot be used as it is.
        """
        self._say("data")
        data = self._prepare_data()
        teacher = self._train("teacher", TEACHER, data)
        student = self._train("student", STUDENT, data)
        distillation = self._train(
            "distilled student", DISTILLED, data, {"model.teacher_ckpt": str(teacher)}
        )
        distilled = self.work_dir / "distilled_student.pth"
        extract_student(distillation, distilled)

        self._say("fold and export")
        bundle = self.work_dir / "bundle"
        export_bundle(
            self._config(STUDENT, data),
            distilled,
            bundle,
            overwrite=True,
            progress=lambda line: print(line, flush=True),
        )

        self._say("evaluate on the held-out layers")
        contenders = [
            Contender("teacher", self._config(TEACHER, data), teacher),
            Contender("student", self._config(STUDENT, data), student),
            Contender("distilled student", self._config(STUDENT, data), distilled),
            Contender("distilled, folded", self._config(STUDENT, data), distilled, folded=True),
        ]
        comparison = compare(contenders, EXPORTED, bundle, data, SIZE, self.work_dir)

        self._say("predict and report")
        layers = data.root / "images" / data.held_out
        predict_files(Predictor(bundle), [layers], self.work_dir / "predictions")
        report = self.work_dir / "report.html"
        self._write_report(report, data, comparison)
        write_sheet(self.work_dir / "layers.png", comparison.samples, data.palette)
        print(f"\n{text_table(*models_table(comparison.rows, data.classes))}\n")
        return report

    def _say(self, what: str) -> None:
        self.stage += 1
        print(f"\n=== {self.stage}/{_STAGES} {what} ({self._taken()} so far) ===", flush=True)

    def _taken(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        return f"{minutes}:{seconds:02d}"

    def _prepare_data(self) -> DemoData:
        if self.own_data is not None:
            return adopt(self.own_data, self.classes, progress=print)
        return draw(self.work_dir / "data", images=IMAGES, size=SIZE, seed=SEED, progress=print)

    def _config(self, name: str, data: DemoData, options: dict[str, str] | None = None) -> Config:
        config = load_config(
            configs_folder() / "demo" / name,
            work_dir=self.work_dir / Path(name).stem,
            options=options,
        )
        data.point(config)
        if self.iterations is not None:
            config.train_cfg.update(max_iters=self.iterations, val_interval=self.iterations)
            config.default_hooks.checkpoint.interval = self.iterations
        return config

    def _train(
        self, what: str, name: str, data: DemoData, options: dict[str, str] | None = None
    ) -> Path:
        self._say(f"train the {what}")
        return train(self._config(name, data, options))

    def _write_report(self, path: Path, data: DemoData, comparison: Comparison) -> None:
        drawn = self.own_data is None
        layers = "synthetic layers of builds that training never saw" if drawn else data.root.name
        write_report(
            path,
            title="LWAM: a heavy teacher, a light student, every powder layer",
            rows=comparison.rows,
            samples=comparison.samples,
            classes=data.classes,
            palette=data.palette,
            notes=[
                f"IoU in percent on {layers} ({data.held_out}).",
                f"Milliseconds an image of {SIZE} x {SIZE} pixels, median, measured in turn on "
                f"{torch.get_num_threads()} threads. The torch rows are the network alone; the "
                "exported row is the whole way from decoded image to class map.",
                "The demo trains narrow nets for minutes: its figures show that the road works, "
                "not what the method can reach.",
            ],
            facts={
                "lwam_mm": __version__,
                "torch": torch.__version__,
                "whole run": f"{self._taken()} (minutes:seconds)",
            },
            commands=[
                "make demo" if drawn else f"make demo DATA={data.root}",
                f"python tools/predict.py {self.work_dir / 'bundle'} IMAGES --out DIR",
            ],
        )
