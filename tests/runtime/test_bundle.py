import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from lwam_mm.runtime import BundleError, bundle, read_bundle, write_bundle


def edit(root, **changes):
    path = root / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def snapshot(folder):
    """All files below a folder with their contents."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_what_is_written_is_read_back(tmp_path, new_model, new_manifest):
    source = new_model()
    written = write_bundle(tmp_path / "new" / "b", new_manifest((32, 48)), {"model.onnx": source})
    again = read_bundle(str(tmp_path / "new" / "b"))
    assert again == written
    assert again.model_path.read_bytes() == source.read_bytes()
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert again.manifest.files == {"model.onnx": digest}
    assert again.manifest.classes == ("Background", "Super", "Incomplete")
    assert again.manifest.figures == {"miou": 81.5}
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["b"]
    assert sorted(p.name for p in again.root.iterdir()) == ["bundle.json", "model.onnx"]


def test_several_files_are_listed_and_verified(tmp_path, new_model, new_manifest):
    weights = tmp_path / "weights"
    weights.write_bytes(b"w" * 3_000_000)
    files = {"model.onnx": new_model(), "model.bin": weights}
    root = write_bundle(tmp_path / "b", new_manifest((32, 48)), files).root
    assert (root / "model.bin").read_bytes() == weights.read_bytes()
    with (root / "model.bin").open("r+b") as file:
        file.seek(2_500_000)
        file.write(b"x")
    with pytest.raises(BundleError, match=r"model\.bin was changed or damaged"):
        read_bundle(root)


def test_a_bundle_may_be_reached_through_a_link(tmp_path, make_bundle):
    (tmp_path / "current").symlink_to(make_bundle())
    assert read_bundle(tmp_path / "current").model_path.is_file()


@pytest.mark.parametrize("what", ["missing", "file", "empty folder"])
def test_a_path_that_is_no_bundle_is_refused(tmp_path, what):
    path = tmp_path / "b"
    if what == "file":
        path.write_text("x")
    elif what == "empty folder":
        path.mkdir()
    with pytest.raises(BundleError, match=r"b (is not a folder|holds no bundle\.json)"):
        read_bundle(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"{"])
def test_an_unreadable_manifest_names_the_file(make_bundle, content):
    root = make_bundle()
    (root / "bundle.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"bundle\.json (cannot be read|is not valid JSON)"):
        read_bundle(root)


def test_a_manifest_that_is_a_folder_is_refused(make_bundle):
    root = make_bundle()
    (root / "bundle.json").unlink()
    (root / "bundle.json").mkdir()
    with pytest.raises(BundleError, match=r"bundle\.json cannot be read"):
        read_bundle(root)


def test_a_changed_file_is_named_with_both_checksums(make_bundle):
    root = make_bundle()
    expected = read_bundle(root).manifest.files["model.onnx"]
    (root / "model.onnx").write_bytes(b"changed")
    with pytest.raises(BundleError) as error:
        read_bundle(root)
    message = str(error.value)
    assert str(root / "model.onnx") in message
    assert expected in message
    assert hashlib.sha256(b"changed").hexdigest() in message


def test_a_missing_file_is_named(make_bundle):
    root = make_bundle()
    (root / "model.onnx").unlink()
    with pytest.raises(BundleError, match=r"model\.onnx is missing although bundle\.json lists it"):
        read_bundle(root)


def test_a_link_out_of_the_folder_is_refused(tmp_path, make_bundle):
    root = make_bundle()
    (root / "model.onnx").rename(tmp_path / "elsewhere.onnx")
    (root / "model.onnx").symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(BundleError, match="outside the bundle"):
        read_bundle(root)


@pytest.mark.parametrize("name", ["../bundle.onnx", "ABSOLUTE"])
def test_a_path_out_of_the_folder_is_refused(tmp_path, make_bundle, name):
    root = make_bundle()
    outside = tmp_path / "bundle.onnx"  # the export that was copied in: content and sum agree
    name = str(outside) if name == "ABSOLUTE" else name
    digest = hashlib.sha256(outside.read_bytes()).hexdigest()
    edit(root, files={name: digest}, model=name)
    with pytest.raises(BundleError, match="plain file name"):
        read_bundle(root)


def test_a_file_without_checksum_is_refused_but_a_hidden_one_is_ignored(make_bundle):
    root = make_bundle()
    (root / ".DS_Store").write_text("x")
    read_bundle(root)
    (root / "model.onnx.data").write_text("x")
    with pytest.raises(BundleError, match=r"model\.onnx\.data is not listed"):
        read_bundle(root)


def test_a_link_that_leads_to_itself_is_missing(make_bundle):
    root = make_bundle()
    (root / "model.onnx").unlink()
    (root / "model.onnx").symlink_to("model.onnx")
    with pytest.raises(BundleError, match=r"model\.onnx is missing"):
        read_bundle(root)


def test_a_name_too_long_for_the_system_is_missing(make_bundle):
    root = make_bundle()
    edit(root, files={"x" * 300: "0" * 64}, model="x" * 300)
    with pytest.raises(BundleError, match="xxx is missing although"):
        read_bundle(root)


@pytest.mark.parametrize("function", ["sha256", "iterdir"])
def test_a_file_that_may_not_be_read_is_a_bundle_error(make_bundle, monkeypatch, function):
    root = make_bundle()

    def fail(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(bundle if function == "sha256" else Path, function, fail)
    with pytest.raises(BundleError, match=f"{root} cannot be read: .*Permission denied"):
        read_bundle(root)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_bundle_is_replaced_only_on_request(tmp_path, make_bundle, new_manifest, overwrite):
    root = make_bundle()
    before = snapshot(tmp_path)
    arguments = (root, new_manifest(provenance={"config": "new.py"}))
    source = {"model.onnx": root / "model.onnx"}
    if overwrite:
        write_bundle(*arguments, source, overwrite=True)
        assert read_bundle(root).manifest.provenance == {"config": "new.py"}
        assert snapshot(tmp_path).keys() == before.keys()
    else:
        with pytest.raises(BundleError, match="holds a bundle"):
            write_bundle(*arguments, source)
        assert snapshot(tmp_path) == before


def test_a_link_to_a_bundle_stays_one_when_it_is_replaced(tmp_path, make_bundle, new_manifest):
    root = make_bundle()
    link = tmp_path / "current"
    link.symlink_to(root)
    manifest = new_manifest(provenance={"config": "new.py"})
    write_bundle(link, manifest, {"model.onnx": tmp_path / "bundle.onnx"}, overwrite=True)
    assert link.is_symlink()
    assert read_bundle(root).manifest.provenance == {"config": "new.py"}


@pytest.mark.parametrize("case", ["file", "foreign folder", "bundle with a sub-folder"])
def test_what_is_no_bundle_is_never_overwritten(
    tmp_path, make_bundle, new_model, new_manifest, case
):
    out = tmp_path / "out"
    if case == "file":
        out.write_text("precious")
    elif case == "foreign folder":
        out.mkdir()
        (out / "thesis.txt").write_text("precious")
    else:
        out = make_bundle(name="out")
        (out / "thesis").mkdir()
    source = new_model()
    before = snapshot(tmp_path)
    with pytest.raises(BundleError, match="give another folder"):
        write_bundle(out, new_manifest((32, 48)), {"model.onnx": source}, overwrite=True)
    assert snapshot(tmp_path) == before


def test_an_empty_folder_is_used(tmp_path, new_model, new_manifest):
    (tmp_path / "b").mkdir()
    write_bundle(tmp_path / "b", new_manifest((32, 48)), {"model.onnx": new_model()})
    assert read_bundle(tmp_path / "b").model_path.is_file()


def test_a_manifest_that_breaks_a_rule_is_named_by_the_folder_that_was_asked_for(
    tmp_path, new_model, new_manifest
):
    with pytest.raises(BundleError) as error:
        write_bundle(tmp_path / "b", new_manifest(palette=()), {"model.onnx": new_model()})
    assert str(error.value).startswith(f"{tmp_path / 'b' / 'bundle.json'}: field 'palette' is []")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "failure", ["copying", "renaming", "missing source", "bad name", "bad manifest", "no model"]
)
def test_a_failure_leaves_everything_as_it_was(
    tmp_path, make_bundle, new_model, new_manifest, monkeypatch, failure, overwrite
):
    out = make_bundle(name="out") if overwrite else tmp_path / "out"
    files = {"model.onnx": new_model("a.onnx"), "second": new_model("b.onnx")}
    manifest = new_manifest((32, 48))
    expected = BundleError
    if failure == "copying":
        copy = shutil.copyfile

        def fail_on_second(source, target):
            if target.name == "second":
                target.write_bytes(b"half")
                raise OSError("disk full")
            return copy(source, target)

        monkeypatch.setattr(shutil, "copyfile", fail_on_second)
        expected = OSError
    elif failure == "renaming":
        rename = Path.rename

        def fail_into_place(self, target):
            if self.name.endswith(".new"):
                raise OSError("no rename")
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", fail_into_place)
        expected = OSError
    elif failure == "missing source":
        files["second"] = tmp_path / "nowhere"
    elif failure == "bad name":
        files["../second"] = files.pop("second")
    elif failure == "bad manifest":
        manifest = new_manifest((32, 48), palette=())
    else:
        files = {"second": files["second"]}
    before = snapshot(tmp_path)
    with pytest.raises(expected):
        write_bundle(out, manifest, files, overwrite=overwrite)
    assert snapshot(tmp_path) == before


def test_a_bundle_has_the_usual_permissions(tmp_path, make_bundle):
    root = make_bundle()
    (tmp_path / "usual").mkdir()
    assert root.stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert os.access(root / "model.onnx", os.R_OK)
