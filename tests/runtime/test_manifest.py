import json
import sys
from dataclasses import replace

import pytest

from lwam_mm.runtime import BundleError, Manifest, OutputSpec

DIGEST = "0" * 64


@pytest.fixture
def data(new_manifest):
    return json.loads(replace(new_manifest((32, 48)), files={"model.onnx": DIGEST}).to_json())


def parse(data):
    return Manifest.from_json(json.dumps(data), "here/bundle.json")


def put(data, dotted, value):
    *sections, name = dotted.split(".")
    for section in sections:
        data = data[section]
    data[name] = value


def test_a_manifest_survives_the_round_trip(new_manifest):
    for size in [(32, 48), None]:
        manifest = replace(new_manifest(size), files={"model.onnx": DIGEST})
        assert Manifest.from_json(manifest.to_json()) == manifest


def test_a_white_level_is_optional(data, new_manifest):
    assert "white_level" not in data["input"]  # so that earlier versions can read it
    assert parse(data).input.white_level is None
    data["input"]["white_level"] = 4095
    manifest = parse(data)
    assert manifest.input.white_level == 4095
    assert Manifest.from_json(manifest.to_json()) == manifest
    data["input"]["white_level"] = None
    assert parse(data).input.white_level is None


FIELDS = [
    *("format_version", "task", "classes", "palette", "engine", "model", "input", "output"),
    *("provenance", "figures", "files", "input.name", "input.size", "input.mean", "input.std"),
    *("input.resize", "input.size_divisor", "input.kind", "input.halo"),
    *("precision", "output.logits", "output.labels"),
]


@pytest.mark.parametrize("dotted", FIELDS)
def test_a_missing_field_is_named(data, dotted):
    *sections, name = dotted.split(".")
    section = data
    for part in sections:
        section = section[part]
    del section[name]
    with pytest.raises(BundleError, match=rf"here/bundle\.json: field '{dotted}' is missing"):
        parse(data)


@pytest.mark.parametrize(
    ("dotted", "value"),
    [
        ("format_version", 1),
        ("format_version", 3),
        ("format_version", "2"),
        ("format_version", True),
        ("format_version", 0),
        ("task", "detection"),
        ("classes", "Background"),
        ("classes", []),
        ("classes", ["a", "b", 3]),
        ("classes", ["a", "b", ""]),
        ("classes", ["a", "b", "\ud800"]),
        ("classes", ["a", "b", "a"]),
        ("palette", [[0, 0, 0]]),
        ("palette", [[0, 0, 0], [0, 0], [0, 0, 0]]),
        ("palette", [[0, 0, 0], [0, 0, 256], [0, 0, 0]]),
        ("palette", [[0, 0, 0], [0, 0, -1], [0, 0, 0]]),
        ("palette", [[0, 0, 0], [0, 0, 0.5], [0, 0, 0]]),
        ("palette", None),
        ("engine", ""),
        ("engine", 7),
        ("model", "other.onnx"),
        ("input", []),
        ("input.name", ""),
        ("precision", "int4"),
        ("input.kind", "picture"),
        ("input.kind", ["tensor"]),
        ("input.halo", 16),
        ("input.halo", -16),
        ("input.halo", 8.0),
        ("input.size", [32]),
        ("input.size", [32, 0]),
        ("input.size", [32, 48.0]),
        ("input.size", 32),
        ("input.size_divisor", 0),
        ("input.size_divisor", 16.0),
        ("input.mean", [1, 2]),
        ("input.mean", [1, 2, "3"]),
        ("input.mean", [1, 2, True]),
        ("input.mean", [1, 2, 10**400]),
        ("input.std", [1, 2, 0]),
        ("input.std", [1, 2, -3]),
        ("input.resize", "pad"),
        ("input.resize", "letterbox"),
        ("input.white_level", 0),
        ("input.white_level", 65536),
        ("input.white_level", "4095"),
        ("output", "logits"),
        ("output.logits", None),
        ("output.labels", ""),
        ("output.labels", "logits"),
        ("output.check", ""),
        ("output.check", "logits"),
        ("output.check", "labels"),
        ("output.check", "sum"),  # without labels
        ("provenance", []),
        ("figures", None),
        ("files", ["model.onnx"]),
        ("files.model.onnx", "abc"),
    ],
)
def test_a_wrong_value_is_named_with_file_field_and_value(data, dotted, value):
    if dotted == "files.model.onnx":
        data["files"]["model.onnx"] = value
    else:
        put(data, dotted, value)
    with pytest.raises(BundleError) as error:
        parse(data)
    message = str(error.value)
    shown = repr(value) if len(repr(value)) <= 120 else repr(value)[:117] + "..."
    assert message.startswith(f"here/bundle.json: field '{dotted}' is {shown}")


def test_a_check_is_written_only_where_there_is_one(new_manifest):
    """So that a bundle without one can still be read by older versions."""
    files = {"model.onnx": "0" * 64}
    for output in (OutputSpec("logits", "labels", "check"), OutputSpec("logits", "labels")):
        manifest = new_manifest(output=output, files=files)
        assert ('"check"' in manifest.to_json()) == (output.check is not None)
        assert Manifest.from_json(manifest.to_json()) == manifest


def test_a_model_of_any_size_is_not_stretched(new_manifest):
    data = json.loads(replace(new_manifest(None), files={"model.onnx": DIGEST}).to_json())
    data["input"]["resize"] = "stretch"
    with pytest.raises(BundleError, match=r"'input\.resize' is 'stretch'"):
        parse(data)


def test_the_halo_is_a_multiple_of_the_divisor(new_manifest):
    data = json.loads(replace(new_manifest(None), files={"model.onnx": DIGEST}).to_json())
    data["input"]["halo"] = 32
    assert parse(data).input.halo == 32
    data["input"]["halo"] = 24
    with pytest.raises(BundleError, match=r"'input\.halo' is 24: give a multiple of .* 16"):
        parse(data)


def test_whole_numbers_are_numbers(data):
    data["input"]["mean"] = [0, 1, 2]
    assert parse(data).input.mean == (0.0, 1.0, 2.0)


def test_an_infinite_number_is_refused(data):
    text = json.dumps(data).replace("[100.0, 50.0, 0.0]", "[1e999, 50.0, 0.0]")
    assert "1e999" in text
    with pytest.raises(BundleError, match=r"'input\.mean' is \[inf"):
        Manifest.from_json(text)


@pytest.mark.parametrize("place", ["", "input", "output"])
def test_an_unknown_field_is_refused(data, place):
    (data[place] if place else data)["nmae"] = 1
    dotted = f"{place}.nmae".lstrip(".")
    with pytest.raises(BundleError, match=rf"unknown field '{dotted}'"):
        parse(data)


def test_a_newer_format_says_update_whatever_else_it_holds():
    with pytest.raises(BundleError, match="reads version 2: update lwam_mm"):
        parse({"format_version": 3, "something": "else"})


def test_more_classes_than_labels_are_refused(data):
    data["classes"] = [f"class {i}" for i in range(256)]
    data["palette"] = [[0, 0, 0]] * 256
    with pytest.raises(BundleError, match="1 to 255 class names"):
        parse(data)


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/b", "a\\b", "C:x", "C:\\x", "..", ".", "", "a\0b", "\ud800"]
)
def test_a_file_name_that_leaves_the_folder_is_refused(data, name):
    data["files"][name] = DIGEST
    with pytest.raises(BundleError, match="plain file name inside the bundle"):
        parse(data)


@pytest.mark.parametrize("text", ["", "{", "not json", '{"a": NaN}', '{"a": 1, "a": 2}'])
def test_text_that_is_not_json_is_refused(text):
    with pytest.raises(BundleError, match=r"here/bundle\.json is not valid JSON"):
        Manifest.from_json(text, "here/bundle.json")


def test_absurd_nesting_is_refused_whatever_the_recursion_limit():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(2**20)
    try:
        with pytest.raises(BundleError, match="nested more than 100 deep"):
            Manifest.from_json("[" * 100_000)
    finally:
        sys.setrecursionlimit(limit)


def test_nesting_is_counted(data):
    """The text itself and `figures` are two levels."""
    for depth in [98, 99]:
        data["figures"] = {"rows": json.loads("[" * depth + "]" * depth)}
        if depth == 98:
            parse(data)
        else:
            with pytest.raises(BundleError, match="nested more than 100 deep"):
                parse(data)


def test_brackets_in_text_and_beside_each_other_are_no_nesting(new_manifest):
    figures = {"note": '\\"[{' * 200, "rows": [[1], {"a": 2}] * 200}
    manifest = replace(new_manifest(None, figures=figures), files={"model.onnx": DIGEST})
    assert Manifest.from_json(manifest.to_json()).figures == figures


@pytest.mark.parametrize("text", ["[]", "null", '"x"', "3"])
def test_json_that_is_no_object_is_refused(text):
    with pytest.raises(BundleError, match="not an object"):
        Manifest.from_json(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, b"x"])
def test_figures_that_are_not_json_are_refused_when_written(new_manifest, value):
    with pytest.raises(BundleError, match="cannot be written as JSON"):
        new_manifest(figures={"miou": value}).to_json()
