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
from lwam_mm.utils.atomic_files import write_atomically
from lwam_mm.utils.errors import UserError
from lwam_mm.utils.png_files import encode_png

TABLE_NAME = "pixels.csv"
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
    _check_out(out, found.images, names)
    # An old table must not describe new results; a table also marks the folder as one of results.
    _write_table(out, run, predictor.classes)
    try:
        for index, (file, name) in enumerate(zip(found.images, names, strict=True), start=1):
            try:
                image = _predict_file(predictor, file, name, out, probabilities)
            except (UserError, OSError, MemoryError, cv2.error) as error:
                reason = _reason(file, error) + _remove_results(out, name)
                run.failed.append((file, reason))
                line = f"FAILED: {reason}"
            else:
                run.predicted.append(image)
                line = f"{image.width}x{image.height}, {image.milliseconds:.0f} ms"
            progress(f"[{index}/{len(found.images)}] {file}: {line}")
    finally:
        _write_table(out, run, predictor.classes)
    return run


def _check_out(out: Path, images: Sequence[Path], names: Sequence[str]) -> None:
    """Refuse to overwrite what is not the result of an earlier run."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file: give another folder for the results")
    folders = {os.path.realpath((out / pattern).parent) for pattern in _RESULTS}
    for file in images:
        real_file = os.path.realpath(file)
        if not folders.isdisjoint({os.path.realpath(file.parent), str(Path(real_file).parent)}):
            raise OutputError(
                f"{file} is in a folder that the results are written to: give another folder than "
                f"{out} for them"
            )
    if (out / TABLE_NAME).exists():
        return
    for path in (out / pattern.format(name) for name in names for pattern in _RESULTS):
        if os.path.lexists(path):
            raise OutputError(
                f"{path} exists, but {out} holds no {TABLE_NAME} of an earlier run: give another "
                "folder for the results, or remove it"
            )


def _predict_file(
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


def _remove_results(out: Path, name: str) -> str:
    """Remove the results of an image that failed, and return what to add to the reason.

    A mask of an earlier run, or of half a result, would be taken for this image's.
    """
    try:
        for pattern in _RESULTS:
            (out / pattern.format(name)).unlink(missing_ok=True)
    except OSError as error:
        return f"; its old results cannot be removed: {error}"
    return ""


def _write_table(out: Path, run: PredictionRun, classes: Sequence[str]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["file", "name", "width", "height", *(f"pixels_{c}" for c in classes), "milliseconds"]
    )
    for image in run.predicted:
        counts = [image.pixels[name] for name in classes]
        time_text = f"{image.milliseconds:.1f}"
        writer.writerow([image.file, image.name, image.width, image.height, *counts, time_text])
    # A file name need not be valid UTF-8; its bytes go into the table as they are.
    write_atomically(out / TABLE_NAME, text.getvalue().encode(errors="surrogateescape"))
