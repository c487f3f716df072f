"""Segments many image files and writes the results: masks, overlays and a table."""

import csv
import io
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from lwam_mm.runtime.errors import ImageError, OutputError
from lwam_mm.runtime.find_images import distinct_names, find_images
from lwam_mm.runtime.images import read_image
from lwam_mm.runtime.overlay import draw_overlay
from lwam_mm.runtime.predictor import Predictor
from lwam_mm.utils.atomic_files import replacing, write_atomically
from lwam_mm.utils.errors import UserError
from lwam_mm.utils.png_files import encode_png

TABLE_NAME = "pixels.csv"
WORK_LIST_NAME = "predicted.sqlite"  # of a run by several workers; see `predict_archive`
_RESULTS = ("masks/{}.png", "overlays/{}.png", "probabilities/{}.npy")


@dataclass(frozen=True)
class PredictedImage:
    """One predicted image; a row of the table."""

    file: Path  # the image, as it was given or found
    name: str  # file name of its results, without suffix
    width: int
    height: int
    pixels: dict[str, int]  # class name -> number of pixels
    milliseconds: float  # wall time of the prediction, from the decoded image to the labels


@dataclass
class PredictionRun:
    """What became of every input, and of every entry of a folder among them."""

    predicted: list[PredictedImage] = field(default_factory=list)
    # (file or folder, reason) of each input that could not be predicted.
    failed: list[tuple[Path, str]] = field(default_factory=list)
    # (path, reason) of what is no image, or was given before under another name.
    skipped: list[tuple[Path, str]] = field(default_factory=list)


def predict_files(
    predictor: Predictor,
    inputs: Iterable[str | Path],
    out: str | Path,
    *,
    probabilities: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> PredictionRun:
    """Segment files and the images in folders; one that fails does not stop the others.

    Each result is written whole or not at all, and replaces that of an earlier run:

    - ``masks/NAME.png``: uint8 labels, (H, W), at the image's own size;
    - ``overlays/NAME.png``: the labels' colours over the image, to look at;
    - ``probabilities/NAME.npy``, on request: float32 of shape (C, H, W);
    - ``pixels.csv``: one row per predicted image, one column ``pixels_CLASS`` per class. It is
      also written when the run is interrupted.

    NAME is the image's file name without suffix. Where several images share it, the first keeps it
    and the others are called NAME_2, NAME_3, ...; the table says which is which.

    Args:
        predictor: The loaded bundle.
        inputs: Image files and folders of images; see `find_images`. A file that is given twice,
            or through a link as well, is predicted once.
        out: Folder to write to; created.
        probabilities: Also write the classes' probabilities.
        progress: Called with one line of text after each image.

    Raises:
        OutputError: ``out`` is a file, or a result would overwrite an input or a file that is not
            a result of an earlier run.
        OSError: The table cannot be written.
    """
    out = Path(out)
    found = find_images(inputs)
    run = PredictionRun(failed=found.failed, skipped=found.skipped)
    names = distinct_names(found.images)
    check_out(out, zip(found.images, names, strict=True))
    # Old lists must not describe new results; a table also marks the folder as one of results.
    if (out / TABLE_NAME).exists():
        (out / WORK_LIST_NAME).unlink(missing_ok=True)
    write_table(out, run.predicted, predictor.classes)
    try:
        for index, (file, name) in enumerate(zip(found.images, names, strict=True), start=1):
            result = predict_file(predictor, file, name, out, probabilities)
            if isinstance(result, str):
                run.failed.append((file, result))
            else:
                run.predicted.append(result)
            progress(f"[{index}/{len(found.images)}] {file}: {describe(result)}")
    finally:
        write_table(out, run.predicted, predictor.classes)
    return run


def predict_file(
    predictor: Predictor, file: Path, name: str, out: Path, probabilities: bool
) -> PredictedImage | str:
    """Segment one file and write its results; see `predict_files`.

    Returns:
        The row of the table; or why the image could not be predicted: it then has no results.
    """
    try:
        return _predict(predictor, file, name, out, probabilities)
    except (UserError, OSError, MemoryError, cv2.error) as error:
        return _reason(file, error) + remove_results(out, name)


def describe(result: PredictedImage | str) -> str:
    """Say in a line what became of an image."""
    if isinstance(result, str):
        return f"FAILED: {result}"
    return f"{result.width}x{result.height}, {result.milliseconds:.0f} ms"


def has_results(out: Path, name: str, probabilities: bool) -> bool:
    """Whether all results of that name are there."""
    patterns = _RESULTS if probabilities else _RESULTS[:2]
    try:
        # A power cut may leave files of no length.
        return all((out / pattern.format(name)).stat().st_size > 0 for pattern in patterns)
    except OSError:
        return False


def check_out(out: Path, images: Iterable[tuple[Path, str]]) -> None:
    """Refuse to overwrite what is not the result of an earlier run.

    Args:
        out: The folder for results.
        images: The files and the names of their results.

    Raises:
        OutputError: Something would be overwritten.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file: give another folder for the results")
    folders = {os.path.realpath((out / pattern).parent) for pattern in _RESULTS}
    earlier = (out / TABLE_NAME).exists()
    for file, name in images:
        real_file = os.path.realpath(file)
        if not folders.isdisjoint({os.path.realpath(file.parent), str(Path(real_file).parent)}):
            raise OutputError(
                f"{file} is in a folder that the results are written to: give another folder than "
                f"{out} for them"
            )
        for path in () if earlier else (out / pattern.format(name) for pattern in _RESULTS):
            if os.path.lexists(path):
                raise OutputError(
                    f"{path} exists, but {out} holds no {TABLE_NAME} of an earlier run: give "
                    "another folder for the results, or remove it"
                )


def _predict(
    predictor: Predictor, file: Path, name: str, out: Path, probabilities: bool
) -> PredictedImage:
    if file.is_symlink() and not file.exists():
        raise ImageError(
            f"{file} is a link to {file.readlink()}, which does not exist: restore that file, or "
            "remove the link"
        )
    image = read_image(file, predictor.bundle.manifest.input.white_level)
    start = time.perf_counter()
    prediction = predictor(image, probabilities=probabilities)
    milliseconds = (time.perf_counter() - start) * 1e3
    overlay = draw_overlay(image, prediction.labels, predictor.palette)
    results = {_RESULTS[0]: encode_png(prediction.labels), _RESULTS[1]: encode_png(overlay)}
    if prediction.probabilities is not None:
        buffer = io.BytesIO()
        np.save(buffer, prediction.probabilities)
        results[_RESULTS[2]] = buffer.getvalue()
    else:
        (out / _RESULTS[2].format(name)).unlink(missing_ok=True)
    for pattern, data in results.items():
        write_atomically(out / pattern.format(name), data)
    height, width = prediction.labels.shape
    return PredictedImage(file, name, width, height, prediction.pixels, milliseconds)


def _reason(file: Path, error: BaseException) -> str:
    reason = str(error) or "not enough memory"
    return reason if str(file) in reason else f"{file}: {reason}"


def remove_results(out: Path, name: str) -> str:
    """Remove the results of an image that failed, and return what to add to the reason.

    A mask of an earlier run, or of half a result, would be taken for this image's.
    """
    try:
        for pattern in _RESULTS:
            (out / pattern.format(name)).unlink(missing_ok=True)
    except OSError as error:
        return f"; its old results cannot be removed: {error}"
    return ""


def write_table(out: Path, images: Iterable[PredictedImage], classes: Sequence[str]) -> None:
    """Write ``pixels.csv``, whole or not at all; see `predict_files`.

    Raises:
        OSError: It cannot be written.
    """
    with (
        replacing(out / TABLE_NAME) as unfinished,
        # A file name need not be valid UTF-8; its bytes go into the table as they are.
        unfinished.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["file", "name", "width", "height", *(f"pixels_{c}" for c in classes), "milliseconds"]
        )
        for image in images:
            counts = [image.pixels[name] for name in classes]
            time_text = f"{image.milliseconds:.1f}"
            writer.writerow([image.file, image.name, image.width, image.height, *counts, time_text])
