"""tools/monitor.py on the two real builds."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from drawn_layers import write_layer
from tiny_bundle import tiny_manifest, write_tiny_bundle

from lwam_mm.runtime import InputSpec


@pytest.fixture
def monitor(tmp_path, repository):
    """Return a function that runs the tool in the test's folder."""

    def run(*arguments):
        return subprocess.run(
            [sys.executable, str(repository / "tools" / "monitor.py"), *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture
def bundle(tmp_path):
    """A bundle for which every grey pixel is background."""
    spec = InputSpec("image", None, (0, 0, 0), (1, 1, 1), resize="pad")
    return write_tiny_bundle(tmp_path, manifest=tiny_manifest(input=spec))


@pytest.mark.end_to_end
def test_two_real_builds(tmp_path, monitor, bundle, shared_data):
    builds = sorted((shared_data / "lpbf_builds").iterdir())
    (tmp_path / "watched").mkdir()
    for build in builds:
        (tmp_path / "watched" / build.name).symlink_to(build / "images")
    assert monitor("init", bundle, "watched").returncode == 0
    again = monitor("init", bundle, "watched")
    assert again.returncode == 2
    assert "monitor.toml exists" in again.stderr
    text = (tmp_path / "monitor.toml").read_text()
    lines = [
        "pattern = '(?P<build>SI[0-9]+)/SI[0-9]+_(?P<height>[0-9]+)[.]png'\nlayer_height_um = 30"
        if line.startswith("pattern")
        else line.replace("poll_s = 0.5", "poll_s = 0.05")
        for line in text.splitlines()
    ]
    (tmp_path / "monitor.toml").write_text("\n".join(lines))
    run = monitor("run", "monitor.toml", "--once")
    assert run.returncode == 0, run.stderr
    status = json.loads(monitor("status", "monitor.toml", "--json").stdout)
    assert [row["build"] for row in status] == [build.name for build in builds]
    files = [len(list((build / "images").iterdir())) for build in builds]
    assert [row["seen"] for row in status] == files
    assert sorted(row["missing"] for row in status) == [0, 1]
    assert all(row["late"] == row["duplicate"] == row["revised"] == 0 for row in status)
    assert monitor("run", "monitor.toml", "--once").stdout == ""  # nothing is new


def test_a_wrong_config_is_named(tmp_path, monitor):
    (tmp_path / "monitor.toml").write_text("[watch]\nfodler = 'x'")
    run = monitor("status", "monitor.toml")
    assert run.returncode == 2
    assert "monitor.toml: " in run.stderr
    assert "watch.fodler is no setting" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.end_to_end
def test_rules_are_calibrated_replayed_and_used(place, monitor):
    for number in range(1, 9):
        write_layer(place / "watched" / f"B_{number}.png", number, defect=number in (5, 6))
    assert monitor("run", "monitor.toml", "--once").returncode == 3
    assert monitor("replay", "monitor.toml", "--build", "B").stdout == "0 layers differ\n"
    before = (place / "monitor.toml").read_text()
    calibrate = ["calibrate", "monitor.toml", "--build", "B", "--budget", "0"]
    done = monitor(*calibrate, "--out", "rules.toml")
    assert done.returncode == 0, done.stderr
    assert "8 inspected layers" in done.stdout
    assert 'write policy = "rules.toml" above' in done.stdout
    done = monitor(*calibrate, "--out", "rules/new.toml")  # as the config has to name it
    assert 'write policy = "rules/new.toml" above' in done.stdout
    done = monitor(*calibrate, "--out", "../" + place.name + "/monitor.toml")
    assert (done.returncode, "is the config" in done.stderr) == (2, True)
    assert (place / "monitor.toml").read_text() == before
    replay = monitor("replay", "monitor.toml", "--build", "B", "--policy", "rules.toml")
    assert replay.stdout.endswith("2 layers differ\n"), replay.stdout

    config = place / "monitor.toml"
    before = config.read_text()
    head = 'policy = "rules.toml"\n' + before[: before.index("[policy]")]
    config.write_text(head + '[record]\nfolder = "again"\n')
    assert monitor("run", "monitor.toml", "--once").returncode == 0
    assert monitor("replay", "monitor.toml", "--build", "C").returncode == 2


def test_a_start_that_is_refused_names_the_config(place, monitor):
    config = place / "monitor.toml"
    config.write_text(config.read_text() + '[measure]\nparts = "prats"\n')
    done = monitor("run", "monitor.toml", "--once")
    assert done.returncode == 2
    assert done.stderr.startswith("error: monitor.toml: measure.parts: ")
    assert "prats is no folder" in done.stderr
    assert monitor("status", "monitor.toml").returncode == 0  # the record can be read without


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        ("watch.folder", '"watched"', '"away"'),
        ("model.bundle", '"bundle"', '"away"'),
        ("record.database", "[policy]", '[record]\ndatabase = "sqlite:////no/such"\n[policy]'),
        ("record.database", "[policy]", '[record]\ndatabase = "no address"\n[policy]'),
        ("page.token_variable", "[policy]", '[page]\ntoken_variable = "NO_SUCH"\n[policy]'),
        (
            "signal.mqtt.password_variable",
            "[policy]",
            '[signal.mqtt]\nhost = "x"\nuser = "u"\npassword_variable = "NO_SUCH"\n[policy]',
        ),
    ],
)
def test_what_is_not_there_is_named_by_file_and_key(place, monitor, key, old, new):
    config = place / "monitor.toml"
    config.write_text(config.read_text().replace(old, new))
    once = [] if key.startswith("page") else ["--once"]
    done = monitor("run", "monitor.toml", *once)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"error: monitor.toml: {key}: ")


@pytest.mark.skipif(os.name != "posix", reason="arguments of any bytes are there on POSIX alone")
def test_a_build_that_is_no_utf_8_is_named(place, monitor):
    odd = os.fsdecode(b"B\xff")
    for arguments in (
        ["replay", "monitor.toml", "--build", odd],
        ["report", "monitor.toml", "--build", odd, "--out", "report.html"],
        ["export", "monitor.toml", "--build", odd, "--out", "tables", "--format", "csv"],
        ["calibrate", "monitor.toml", "--build", odd, "--out", "rules.toml"],
    ):
        done = monitor(*arguments)
        assert done.returncode == 2
        assert (
            done.stderr == r"error: the record has no build 'B\\xff': name one of none so far" "\n"
        )


def test_files_that_were_put_aside_are_listed(place, monitor):
    for number in (1, 2):
        write_layer(place / "watched" / f"B_{number}.png", number)
    assert monitor("run", "monitor.toml", "--once").returncode == 0
    assert "put aside" not in monitor("status", "monitor.toml").stdout
    (build,) = json.loads(monitor("status", "monitor.toml", "--json").stdout)
    assert build["put_aside"] == []
    write_layer(place / "watched" / "B_2000.png", 3)
    (place / "watched" / "B_3.png").write_bytes(b"no image")
    (place / "watched" / "<notes>.txt").write_text("seen")
    assert monitor("run", "monitor.toml", "--once").returncode == 0
    text = monitor("status", "monitor.toml").stdout
    assert text.endswith("\n3 files were put aside; --json lists them with their reasons\n")
    build, no_build = json.loads(monitor("status", "monitor.toml", "--json").stdout)
    assert (build["build"], no_build["build"]) == ("B", None)
    found = [*build["put_aside"], *no_build["put_aside"]]
    assert [file["path"] for file in found] == ["B_2000.png", "B_3.png", "<notes>.txt"]
    for file, told in zip(found, ("watch.max_gap", "format", "watch.pattern"), strict=True):
        assert told in file["reason"]
    assert monitor("report", "monitor.toml", "--build", "B", "--out", "r.html").returncode == 0
    assert "No layer came of 3 files" in (place / "r.html").read_text()
    write_layer(place / "watched" / "B_3.png", 4)  # what is taken later is no more put aside
    assert monitor("run", "monitor.toml", "--once").returncode == 0
    assert "\n2 files were put aside" in monitor("status", "monitor.toml").stdout


def test_a_late_layer_that_is_critical_is_no_success(place, monitor):
    for number, code in ((1, 0), (2, 0), (4, 0), (3, 3)):
        write_layer(place / "watched" / f"B_{number}.png", number, defect=number == 3)
        assert monitor("run", "monitor.toml", "--once").returncode == code


def test_a_folder_that_is_not_there_is_no_success(tmp_path, monitor, bundle):
    (tmp_path / "watched").mkdir()
    assert monitor("init", bundle, "watched").returncode == 0
    (tmp_path / "watched").rmdir()
    done = monitor("run", "monitor.toml", "--once")
    assert done.returncode == 2
    assert "watched cannot be read: No such file or directory" in done.stderr


def test_a_record_folder_of_any_name_and_a_rule_of_an_unknown_class(tmp_path, monitor, bundle):
    (tmp_path / "watched").mkdir()
    assert monitor("init", bundle, "watched").returncode == 0
    for number in (1, 2):
        write_layer(tmp_path / "watched" / f"B_{number:05d}.png", number)
    config = tmp_path / "monitor.toml"
    text = config.read_text().replace('folder = "record"', 'folder = "what? a record"')
    assert "what?" in text
    config.write_text(text, "utf-8-sig")  # as Windows' editor saves it
    done = monitor("run", config, "--once")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "what? a record" / "record.sqlite").is_file()
    rules = '[[rules]]\nclass_name = "Supr"\nseverity = "minor"\nleast_area_px = 9\n'
    (tmp_path / "rules.toml").write_text(rules)
    (build,) = json.loads(monitor("status", config, "--json").stdout)
    again = monitor("replay", config, "--build", build["build"], "--policy", "rules.toml")
    assert again.returncode == 2
    assert "Supr" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "module"),
    [(["monitor.py", "status", "x.toml"], "pydantic"), (["import_peregrine.py", "a", "b"], "h5py")],
)
def test_without_the_extra_it_says_what_to_install(tmp_path, repository, arguments, module):
    missing = f"raise ModuleNotFoundError(\"No module named '{module}'\", name='{module}')"
    (tmp_path / f"{module}.py").write_text(missing)
    done = subprocess.run(
        [sys.executable, repository / "tools" / arguments[0], *arguments[1:]],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == f"error: No module named '{module}': pip install 'lwam-mm[monitor]'\n"
