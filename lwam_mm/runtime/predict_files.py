"""Segments many image files and writes what was seen: masks, overlays, a table."""

import csv
import io
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from lwam_mm.runtime.errors import EngineError, ImageError
from lwam_mm.runtime.images import IMAGE_SUFFIXES, read_image
from lwam_mm.runtime.overlay import draw_overlay
from lwam_mm.runtime.predictor import Prediction, Predictor
from lwam_mm.utils.atomic_files import write_atomically


@dataclass(frozen=True)
class Row:
    """One predicted image.

    Attributes:
        file: The image, as it was given or found.
        name: The stem of its mask and overlay.
        width: In pixels.
        height: In pixels.
        pixels: Class name -> number of pixels.
        milliseconds: Wall time of the prediction, from the decoded image to the class map.
    """

    file: Path
    name: str
    width: int
    height: int
    pixels: dict[str, int]
    milliseconds: float


@dataclass
class Report:
    """What became of the inputs.

    Attributes:
        rows: The predicted images, in order.
        failed: (file or folder, reason) of each input that could not be predicted.
        skipped: Files found in a folder whose suffix is not an image's.
    """

    rows: list[Row] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)


def predict_files(
    predictor: Predictor,
    inputs: Iterable[str | Path],
    out: str | Path,
    *,
    probabilities: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> Report:
    """Segment files and the images in folders; a bad one does not stop the others.

    Writes, each file whole or not at all, what an earlier run left under the same name replaced:

    - `masks/NAME.png`: uint8 labels, (H, W), at the image's own size;
    - `overlays/NAME.png`: the labels' colours over the image, to look at;
    - `probabilities/NAME.npy`, on request: float32 of shape (C, H, W);
    - `pixels.csv`: one `Row` an image, a column `pixels_CLASS` a class; also when interrupted.

    NAME is the image's stem. Where several inputs share a stem, the first keeps it and the others
    are called NAME_2, NAME_3, ...; the table says which is which.

    Args:
        predictor: The loaded bundle.
        inputs: Image files, and folders whose images (by suffix, without sub-folders) are taken
            in the order of their names. What is given twice is predicted once.
        out: Folder to write to; created.
        probabilities: Also write the classes' probabilities.
        progress: Called with one line of text after each image.

    Returns:
        The report.

    Raises:
        BundleError: The model is not what the bundle says.
        OSError: A result cannot be written.
    """
    out = Path(out)
    report = Report()
    images = _find_images(inputs, report)
    names = distinct_names(images)
    _make_folder(out)
    try:
        for index, (file, name) in enumerate(zip(images, names, strict=True), start=1):
            try:
                image = read_image(file, predictor.bundle.manifest.input.white_level)
                start = time.perf_counter()
                prediction = predictor(image, probabilities=probabilities)
                milliseconds = (time.perf_counter() - start) * 1e3
            except (ImageError, EngineError) as error:
                report.failed.append((file, str(error)))
                _write_results(out, name, {})
                progress(f"[{index}/{len(images)}] {file}: FAILED: {error}")
                continue
            overlay = draw_overlay(image, prediction.labels, predictor.palette)
            _write_results(out, name, _encode(prediction, overlay))
            height, width = prediction.labels.shape
            row = Row(file, name, width, height, prediction.pixels, milliseconds)
            report.rows.append(row)
            progress(f"[{index}/{len(images)}] {file}: {width}x{height}, {milliseconds:.0f} ms")
    finally:
        write_atomically(out / "pixels.csv", _table(report.rows, predictor.classes))
    return report


def distinct_names(files: Sequence[Path]) -> list[str]:
    """Return a name a file: its stem, or the stem with _2, _3, ... where that is taken.

    Names that differ in case only count as equal, as they are one file on Windows. A stem that a
    file has of its own is never given to another.
    """
    own = {file.stem.casefold() for file in files}
    taken: set[str] = set()
    names = []
    for file in files:
        name, number = file.stem, 1
        while name.casefold() in taken or (number > 1 and name.casefold() in own):
            number += 1
            name = f"{file.stem}_{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def _find_images(inputs: Iterable[str | Path], report: Report) -> list[Path]:
    found: dict[Path, Path] = {}  # resolved -> as given; the first spelling of a file stays
    for path in map(Path, inputs):
        if not path.is_dir():
            found.setdefault(path.resolve(), path)
            continue
        files = sorted(file for file in path.iterdir() if file.is_file())
        images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
        report.skipped.extend(file for file in files if file.suffix.lower() not in IMAGE_SUFFIXES)
        for file in images:
            found.setdefault(file.resolve(), file)
        if not images:
            report.failed.append((path, f"{path} holds no image: give a folder with images in it"))
    return list(found.values())


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise FileExistsError(f"{folder} is a file: give another folder for the results") from error


def _encode(prediction: Prediction, overlay: np.ndarray) -> dict[str, bytes]:
    files = {
        "masks/{}.png": cv2.imencode(".png", prediction.labels)[1].tobytes(),
        "overlays/{}.png": cv2.imencode(".png", overlay)[1].tobytes(),
    }
    if prediction.probabilities is not None:
        buffer = io.BytesIO()
        np.save(buffer, prediction.probabilities)
        files["probabilities/{}.npy"] = buffer.getvalue()
    return files


def _write_results(out: Path, name: str, files: dict[str, bytes]) -> None:
    """Write one image's results, and remove those of an earlier run that it no longer has.

    A mask of yesterday under the name of an image that failed today would be taken for today's.
    """
    for pattern in ("masks/{}.png", "overlays/{}.png", "probabilities/{}.npy"):
        path = out / pattern.format(name)
        if pattern in files:
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, files[pattern])
        else:
            path.unlink(missing_ok=True)


def _table(rows: Sequence[Row], classes: Sequence[str]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["file", "name", "width", "height", *(f"pixels_{c}" for c in classes), "milliseconds"]
    )
    for row in rows:
        counts = [row.pixels[name] for name in classes]
        time_text = f"{row.milliseconds:.1f}"
        writer.writerow([row.file, row.name, row.width, row.height, *counts, time_text])
    # A file name need not be valid UTF-8; its bytes go into the table as they are.
    return text.getvalue().encode(errors="surrogateescape")
