"""Configs, right and wrong."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_layers import CONFIG
from hypothesis import given, settings
from hypothesis import strategies as st

from lwam_mm.monitor.config.config import check_files, parse_config, read_config
from lwam_mm.monitor.config.template import write_template
from lwam_mm.utils.errors import ConfigError

FILE = Path("monitor.toml")
KEYS = ["watch", "folder", "pattern", "model", "poll_s", "policy", "rules", "roi", "frame", "size"]
VALUES = st.recursive(
    st.one_of(
        st.integers(),
        st.floats().map(lambda value: str(value).replace("Infinity", "inf")),
        st.booleans().map(lambda value: str(value).lower()),
        st.text(st.characters(codec="ascii", exclude_characters="\\\"'\n"), max_size=9).map(
            lambda value: f"'{value}'"
        ),
    ),
    lambda inner: st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(map(str, items))}]"),
    max_leaves=6,
)


def test_paths_are_relative_to_the_config(tmp_path):
    (tmp_path / "monitor.toml").write_text(CONFIG)
    config, text = read_config(tmp_path / "monitor.toml")
    assert text == CONFIG
    assert config.watch.folder == tmp_path / "watched"
    assert config.model.bundle == tmp_path / "bundle"
    assert config.record.folder == tmp_path / "record"
    assert config.policy.rules[0].least_area_px == 20


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("poll_s = 0.01", "poll_s = 0", "watch.poll_s is 0.*correct it"),
        ("poll_s = 0.01", "poll_s = nan", "watch.poll_s"),
        ("poll_s = 0.01", "pol_s = 1", "watch.pol_s is no setting"),
        ('folder = "watched"', "", "watch: folder or pattern is missing: give"),
        ("[0-9]+)", "[0-9]+", "no regular expression"),
        ("background_layers = 2", "background = 2", "policy.background is no setting"),
        ("least_area_px = 20", "least_area = 20", "least_area is no setting"),
        ("least_area_px = 20", "least_area_px = -1", "least_area_px is -1.0: give 0 or more"),
        ("[policy]", "[frame]\nbrightness = 0.5\n[policy]", "brightness is 0.5"),
        ("[policy]", "[measure]\nimage_points = [[0, 0]]\n[policy]", "give four or more pairs"),
        ("[policy]", "[measure]\nroi = [[0, 0], [1e9, 0], [5, 5]]\n[policy]", "measure.roi.1.0 is"),
        ("[policy]", "[measure]\nroi = [[0, 0], [9, 9]]\n[policy]", "measure.roi is .*at least 3"),
        ('"watched"', '"~nobodyxyz/x"', "watch.folder is '~nobodyxyz/x': .*Write the path out"),
        ('"bundle"', '"~nobodyxyz/x"', "model.bundle is '~nobodyxyz/x'"),
        ('"watched"', '"a\\u0000b"', r"watch.folder is '/.*a\\x00b': no path .* NUL: correct"),
        ("[policy]", '[record]\nfolder = "\\u0000"\n[policy]', "record.folder is .*NUL"),
        ("[policy]", '[measure]\nroi = "\\u0000"\n[policy]', "measure.roi is .*NUL"),
        ("[policy]", "[policy]\nreach_px = 9223372036854775807", "reach_px is .* or less"),
        ("[policy]", "[measure]\nbackground_reach_px = 100000\n[policy]", "background_reach_px"),
        ("least_area_px = 20", "of = 9223372036854775807", "of is 9223372036854775807: give 1 to"),
        (
            "least_area_px = 20",
            "end_after = 9223372036854775807",
            "end_after is 9223372036854775807",
        ),
        (
            "[policy]",
            '[signal.mqtt]\nhost = "h"\ntls = true\nca_file = "\\u0000"\n[policy]',
            "signal.mqtt.ca_file is .*NUL",
        ),
        (
            "[policy]",
            '[signal.mqtt]\nhost = "h"\nca_file = "ca.pem"\n[policy]',
            "signal.mqtt: ca_file is given, but nothing is encrypted: add tls = true",
        ),
        (
            "[policy]",
            '[signal.mqtt]\nhost = "h"\npassword_variable = "P"\n[policy]',
            "signal.mqtt: password_variable is given, but nobody logs in: add user",
        ),
        ("[model]", "[model", "is no TOML"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(old, new, found):
    assert old in CONFIG
    with pytest.raises(ConfigError, match=f"monitor.toml.*{found}"):
        parse_config(CONFIG.replace(old, new), FILE)


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ('parts = "parts"', "measure.parts: .*parts is no folder: give .* or remove the key"),
        ('parts = "roi.png"', "measure.parts: .*roi.png is no folder"),
        ('roi = "gone.png"', "measure.roi: .*gone.png does not exist: check the path"),
        ('roi = "roi.png"', "measure.roi: .*roi.png is black all over"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_before_the_first_layer(
    place, new_monitor, setting, found
):
    cv2.imwrite(str(place / "roi.png"), np.zeros((64, 64), np.uint8))
    with pytest.raises(ConfigError, match=found):
        new_monitor(text=f"{CONFIG}[measure]\n{setting}\n")
    (place / "parts").mkdir()
    check_files(parse_config(f'{CONFIG}[measure]\nparts = "parts"\n', place / "monitor.toml"))


def test_the_example(repository):
    config, _ = read_config(repository / "configs" / "monitor" / "powder_bed.toml")
    name = config.watch.name_pattern().read("B1/B0002a.jpg")
    assert (name.build, name.number, name.step) == ("B1", 2, "exposed")
    assert config.measure.plate().to_mm([(60, 40)]).round(6).tolist() == [[0, 250]]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"monitor[.]toml cannot be read"):
        read_config(tmp_path / "monitor.toml")


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes are there on POSIX alone")
def test_a_folder_that_is_no_utf_8_is_refused(place, tmp_path):
    odd = tmp_path / os.fsdecode(b"\xff")
    odd.mkdir()
    found = r"new.toml: watch.folder is .*\\xff: the name is not in UTF-8: rename the folder"
    with pytest.raises(ConfigError, match=found):
        write_template(place / "bundle", odd, place / "new.toml")
    assert not (place / "new.toml").exists()
    (odd / "monitor.toml").write_text(CONFIG)
    with pytest.raises(ConfigError, match=r"watch.folder is .*\\xff/watched: the name is not in"):
        read_config(odd / "monitor.toml")


def test_a_template_is_a_config(place):
    write_template(place / "bundle", place / 'watched "here"', place / "new.toml")
    config, _ = read_config(place / "new.toml")
    assert config.watch.folder == place / 'watched "here"'
    assert [rule.class_name for rule in config.policy.rules] == ["Super", "Incomplete"]


@settings(max_examples=5000, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(CONFIG.splitlines()), st.sampled_from(KEYS), VALUES)),
    st.one_of(st.just(""), st.text(max_size=5)),
)
def test_any_config_is_taken_or_refused(changes, tail):
    text = CONFIG
    for line, key, value in changes:
        old = line.split("=")[0].strip() if "=" in line else key
        text = text.replace(line, f"{old} = {value}", 1) if line else text + f"\n{key} = {value}"
    try:
        parse_config(text + tail, FILE)
    except ConfigError as error:
        assert str(error).startswith("monitor.toml")  # noqa: PT017  some are right
