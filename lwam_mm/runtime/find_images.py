"""Finds the images to predict, and names their results so that none overwrites another's."""

# ruff: noqa: PTH110, PTH112, PTH113  pathlib's is_dir etc. raise where a folder is not accessible

import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lwam_mm.runtime.images import IMAGE_SUFFIXES


@dataclass
class FoundImages:
    """The images among files and folders, and the reason why everything else is none."""

    # Not yet opened, each once.
    images: list[Path] = field(default_factory=list)
    # (folder, reason) of each folder that cannot be listed or holds no image.
    failed: list[tuple[Path, str]] = field(default_factory=list)
    # (path, reason) of everything else that was given or is in a folder.
    skipped: list[tuple[Path, str]] = field(default_factory=list)


def find_images(inputs: Iterable[str | Path]) -> FoundImages:
    """Find the images among files and folders: every input and entry of a folder, exactly once.

    Image files that are given may have any name. From a folder the files with an image's suffix are
    taken, in the order of their names; not its sub-folders and hidden files.
    """
    found = FoundImages()
    candidates: list[Path] = []
    folders: dict[str, Path] = {}
    entries_skipped: list[tuple[Path, str]] = []
    for path in map(Path, inputs):
        if not os.path.isdir(path):
            candidates.append(path)
            continue
        first = folders.setdefault(os.path.realpath(path), path)
        if first is not path:
            found.skipped.append((path, f"the same folder as {first}"))
            continue
        try:
            entries = sorted(path.iterdir())
        except OSError as error:
            found.failed.append((path, f"{path} cannot be listed: {error}"))
            continue
        reasons = [(entry, why_not_an_image(entry)) for entry in entries]
        entries_skipped.extend((entry, reason) for entry, reason in reasons if reason)
        images = [entry for entry, reason in reasons if not reason]
        candidates.extend(images)
        if not images:
            found.failed.append((path, f"{path} holds no image: give a folder with images in it"))
    # A sub-folder or an unusual file may also have been given itself.
    given = {entry_of(path) for path in [*candidates, *folders.values()]}
    found.skipped.extend(
        skipped for skipped in entries_skipped if entry_of(skipped[0]) not in given
    )
    _drop_duplicates(candidates, found)
    return found


def distinct_names(files: Sequence[Path]) -> list[str]:
    """Name the results of each file: its stem, or the stem with _2, _3, ... where that is taken.

    Stems that differ only in case or in their Unicode form count as equal, because they are one
    file on some systems. A file's own stem is never given to another file.
    """
    own = {as_on_any_system(file.stem) for file in files}
    taken: set[str] = set()
    names = []
    for file in files:
        name, number = file.stem, 1
        while as_on_any_system(name) in (taken if number == 1 else taken | own):
            number += 1
            name = f"{file.stem}_{number}"
        taken.add(as_on_any_system(name))
        names.append(name)
    return names


def why_not_an_image(entry: Path) -> str | None:
    """Return why an entry of a folder is skipped, or None for an image."""
    if entry.name.startswith("."):
        return "hidden"
    if os.path.isdir(entry):
        return "a sub-folder; name it on its own to predict its images"
    if entry.suffix.lower() not in IMAGE_SUFFIXES:
        return "no image, by its suffix"
    if os.path.exists(entry) and not os.path.isfile(entry):
        return "not a regular file"  # reading a named pipe would wait for ever
    return None


def _drop_duplicates(candidates: Sequence[Path], found: FoundImages) -> None:
    """Take each file once; of several links to it and the file itself, take the file itself."""
    real_paths = [os.path.realpath(file) for file in candidates]
    chosen: dict[str, Path] = {}
    for file, real_path in zip(candidates, real_paths, strict=True):
        known = chosen.setdefault(real_path, file)
        if known.name != Path(real_path).name == file.name:
            chosen[real_path] = file
    for file, real_path in zip(candidates, real_paths, strict=True):
        if chosen[real_path] is file:
            found.images.append(file)
        else:
            found.skipped.append((file, f"the same file as {chosen[real_path]}"))


def entry_of(path: Path) -> str:
    """Identify an entry of a folder, however the folder was named; links are not followed."""
    return str(Path(os.path.realpath(path.parent), path.name))


def as_on_any_system(name: str) -> str:
    """Return what two names have in common that are one file on some systems."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
