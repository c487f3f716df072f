"""A bundle: the flat folder that carries a model from the training side to the runtime side."""

# ruff: noqa: PTH112, PTH113  pathlib's is_dir etc. raise where a folder is not accessible

import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lwam_mm.runtime.errors import BundleError
from lwam_mm.runtime.json_fields import is_plain_name
from lwam_mm.runtime.manifest import MANIFEST_NAME, Manifest


@dataclass(frozen=True)
class Bundle:
    """A bundle whose manifest and checksums have been verified."""

    root: Path  # the folder
    manifest: Manifest

    @property
    def model_path(self) -> Path:
        """The model file."""
        return self.root / self.manifest.model


def read_bundle(path: str | Path) -> Bundle:
    """Read and verify a bundle.

    Raises:
        BundleError: The folder or ``bundle.json`` is missing or wrong, or a file is missing,
            changed, unreadable, outside the folder or not listed. Hidden files (".DS_Store") are
            ignored.

    Example:
        >>> read_bundle("nowhere")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        lwam_mm.runtime.errors.BundleError: nowhere is not a folder: give the folder of a bundle,...
    """
    root = Path(path)
    if not os.path.isdir(root):
        raise BundleError(
            f"{root} is not a folder: give the folder of a bundle, the one with {MANIFEST_NAME}"
        )
    manifest_path = root / MANIFEST_NAME
    try:
        text = manifest_path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BundleError(
            f"{root} holds no {MANIFEST_NAME}: give the folder of a bundle, or export it again"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(
            f"{manifest_path} cannot be read: {error}. Export the bundle again"
        ) from error
    manifest = Manifest.from_json(text, manifest_path)
    try:
        _verify_files(root, manifest)
    except OSError as error:
        raise BundleError(
            f"{root} cannot be read: {error}. Check its permissions, or copy the bundle again"
        ) from error
    return Bundle(root, manifest)


def write_bundle(
    out: str | Path,
    manifest: Manifest,
    model_files: Mapping[str, str | Path],
    *,
    overwrite: bool = False,
) -> Bundle:
    """Write a bundle, whole or not at all.

    The bundle is built and verified in a hidden folder beside ``out``, which is then renamed. A
    bundle that is replaced is first moved aside, and moved back if the renaming fails; ``out``
    does not exist for some microseconds between the two renames.

    Args:
        out: The bundle's folder, to be created. An existing empty folder is used.
        manifest: Its manifest; ``files`` is filled in here.
        model_files: The files to copy into it: name inside the bundle -> current path.
        overwrite: Replace an existing bundle. Anything else is never replaced.

    Returns:
        The bundle as read back.

    Raises:
        BundleError: ``out`` is taken, a model file is missing or has no plain name, or the
            manifest breaks a rule of the format. Nothing was written.
        OSError: A file could not be read or written. Nothing was written.
    """
    # A link to the bundle in use remains a link: its target is replaced.
    out = Path(out).resolve()
    check_target(out, overwrite)
    for name, source in model_files.items():
        if not is_plain_name(name) or name == MANIFEST_NAME:
            raise BundleError(f"{name!r} cannot be a file's name in a bundle: give a plain name")
        if not Path(source).is_file():
            raise BundleError(f"{source} is not a file: export the model first")
    token = secrets.token_hex(4)
    fresh = out.with_name(f".{out.name}.{token}.new")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        fresh.mkdir()
        digests = {}
        for name, source in model_files.items():
            shutil.copyfile(source, fresh / name)
            digests[name] = sha256(fresh / name)
        text = replace(manifest, files=digests).to_json()
        # Checked here, so that an error names the folder that the caller asked for.
        Manifest.from_json(text, out / MANIFEST_NAME)
        (fresh / MANIFEST_NAME).write_text(text, encoding="utf-8")
        read_bundle(fresh)
        _put_in_place(fresh, out, aside=out.with_name(f".{out.name}.{token}.old"))
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return read_bundle(out)


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in lower-case hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _verify_files(root: Path, manifest: Manifest) -> None:
    inside = os.path.realpath(root)
    for name, expected in manifest.files.items():
        path = root / name
        target = os.path.realpath(path)
        if not Path(target).is_relative_to(inside):
            raise BundleError(
                f"{path} is a link to {target}, outside the bundle: put the file itself into the "
                "folder"
            )
        if not os.path.isfile(path):
            raise BundleError(
                f"{path} is missing although {MANIFEST_NAME} lists it: copy the whole folder again"
            )
        found = sha256(path)
        if found != expected:
            raise BundleError(
                f"{path} was changed or damaged: its SHA-256 is {found}, {MANIFEST_NAME} says "
                f"{expected}. Copy the bundle again, or export it again"
            )
    # An ONNX model may read other files of its folder, so none may be without a checksum.
    known = {*manifest.files, MANIFEST_NAME}
    for path in sorted(root.iterdir()):
        if path.name not in known and not path.name.startswith("."):
            raise BundleError(f"{path} is not listed in {MANIFEST_NAME}: move it out of the bundle")


def check_target(out: Path, overwrite: bool) -> None:
    """Check that a bundle may be written to ``out``, before the work of making one."""
    if not out.exists():
        return
    if not out.is_dir():
        raise BundleError(f"{out} is a file: give another folder for the bundle")
    content = list(out.iterdir())
    # A bundle is flat, so a folder with sub-folders holds something else as well.
    is_bundle = (out / MANIFEST_NAME).is_file() and not any(path.is_dir() for path in content)
    if content and not is_bundle:
        raise BundleError(f"{out} holds files but is no bundle: give another folder")
    if is_bundle and not overwrite:
        raise BundleError(f"{out} holds a bundle: give another folder, or ask to overwrite it")


def _put_in_place(fresh: Path, out: Path, aside: Path) -> None:
    if not out.exists():
        fresh.rename(out)
        return
    out.rename(aside)
    try:
        fresh.rename(out)
    except BaseException:
        aside.rename(out)
        raise
    # The new bundle is in its place, so a failure to remove the old one is not reported.
    shutil.rmtree(aside, ignore_errors=True)
