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
from lwam_mm.lab.demo.compare import TrainedModel, compare
from lwam_mm.lab.demo.data import DemoData, adopt, draw
from lwam_mm.lab.demo.report import write_report
from lwam_mm.lab.pages.pictures import Sample, overlays
from lwam_mm.lab.pages.sheet import write_sheet
from lwam_mm.lab.pages.table import ModelScores, models_table, text_table
from lwam_mm.runtime import Predictor
from lwam_mm.runtime.predict_files import predict_files
from lwam_mm.utils.paths import configs_folder
from lwam_mm.version import __version__

TEACHER = "unetpp-w8_1xb4-400i_powder-bed-synthetic-96x96.py"
STUDENT = "lwrnet-w16_1xb4-1000i_powder-bed-synthetic-96x96.py"
DISTILLED = "kd-unetpp-w8_lwrnet-w16_1xb4-1000i_powder-bed-synthetic-96x96.py"
IMAGES, SIZE, SEED = 160, 96, 0
_STAGES = 7


class Demo:
    """One run of the demo, on the user's own data set or a drawn one.

    ``classes`` are the names of the data set's classes, the released six if None; ``iterations``
    those of each of the three trainings, the configs' if None.
    """

    def __init__(
        self,
        work_dir: str | Path,
        data: str | Path | None = None,
        classes: Sequence[str] | None = None,
        iterations: int | None = None,
    ) -> None:
        self._work_dir = Path(work_dir)
        self._own_data = Path(data) if data is not None else None
        self._classes = classes
        self._iterations = iterations
        self._started = time.monotonic()
        self._stage = 0

    def run(self) -> Path:
        """Run all stages and return the report.

        Raises:
            lwam_mm.datasets.problem.DatasetError: If the user's data cannot be used as it is.
        """
        self._announce("data")
        if self._own_data is not None:
            data = adopt(self._own_data, self._classes, progress=print)
        else:
            folder = self._work_dir / "data"
            data = draw(folder, images=IMAGES, size=SIZE, seed=SEED, progress=print)
        teacher = self._train("teacher", TEACHER, data)
        student = self._train("student", STUDENT, data)
        distillation = self._train(
            "distilled student", DISTILLED, data, {"model.teacher_ckpt": str(teacher)}
        )
        distilled = self._work_dir / "distilled_student.pth"
        extract_student(distillation, distilled)

        self._announce("fold and export")
        bundle = self._work_dir / "bundle"
        export_bundle(self._config(STUDENT, data), distilled, bundle, overwrite=True, progress=_say)

        self._announce("evaluate on the held-out layers")
        config = self._config(STUDENT, data)
        trained = [
            TrainedModel("teacher", self._config(TEACHER, data), teacher, shown=True),
            TrainedModel("student", config, student, shown=True),
            TrainedModel("distilled student", config, distilled),
            TrainedModel("distilled, folded", config, distilled, folded=True),
        ]
        models, samples = compare(trained, "distilled, exported", bundle, data.classes, SIZE)

        self._announce("predict and report")
        layers = data.root / "images" / data.held_out
        predict_files(Predictor(bundle), [layers], self._work_dir / "predictions")
        report = self._report(data, bundle, models, samples)
        pictures = [overlays(sample, data.palette) for sample in samples]
        headings = ["layer", *list(pictures[0])[1:]]
        write_sheet(
            self._work_dir / "layers.png", headings, [list(row.values()) for row in pictures]
        )
        print(f"\n{text_table(*models_table(models, data.classes))}\n")
        return report

    def _config(self, name: str, data: DemoData, options: dict[str, str] | None = None) -> Config:
        path = configs_folder() / "demo" / name
        config = load_config(path, work_dir=self._work_dir / path.stem, options=options)
        data.point(config)
        if self._iterations is not None:
            config.train_cfg.update(max_iters=self._iterations, val_interval=self._iterations)
            config.default_hooks.checkpoint.interval = self._iterations
        return config

    def _train(
        self, what: str, name: str, data: DemoData, options: dict[str, str] | None = None
    ) -> Path:
        self._announce(f"train the {what}")
        return train(self._config(name, data, options))

    def _report(
        self,
        data: DemoData,
        bundle: Path,
        models: Sequence[ModelScores],
        samples: Sequence[Sample],
    ) -> Path:
        shown, command = "synthetic layers of builds that training never saw", "make demo"
        if self._own_data is not None:
            shown, command = data.root.name, f"make demo DATA={data.root}"
        report = self._work_dir / "report.html"
        write_report(
            report,
            models,
            samples,
            title="LWAM: a heavy teacher, a light student, every powder layer",
            classes=data.classes,
            palette=data.palette,
            notes=[
                f"IoU in percent on {shown} ({data.held_out}).",
                f"Median milliseconds of one image of {SIZE} x {SIZE} pixels; the models take "
                f"turns, on {torch.get_num_threads()} threads. The torch rows are the network "
                "alone; the exported row goes from decoded image to class map.",
                "The demo trains narrow nets for minutes: its figures show that the pipeline "
                "works, not what the method can reach.",
            ],
            facts={
                "lwam_mm": __version__,
                "torch": torch.__version__,
                "whole run": f"{self._elapsed()} (minutes:seconds)",
            },
            commands=[command, f"python tools/predict.py {bundle} IMAGES --out DIR"],
        )
        return report

    def _announce(self, stage: str) -> None:
        self._stage += 1
        _say(f"\n=== {self._stage}/{_STAGES} {stage} ({self._elapsed()} so far) ===")

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        return f"{minutes}:{seconds:02d}"


def _say(line: str) -> None:
    print(line, flush=True)
