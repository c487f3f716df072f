import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def tool(repository):
    path = repository / "tools" / "check_dataset.py"
    spec = importlib.util.spec_from_file_location("check_dataset", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for kind in ("images", "masks"):
            (tmp_path / kind / split).mkdir(parents=True)
        for stem in ("a", "b"):
            image = rng.integers(0, 256, (16, 16), np.uint8)
            Image.fromarray(image).save(tmp_path / "images" / split / f"{stem}.png")
            mask = (np.arange(256) % 6).astype(np.uint8).reshape(16, 16)
            Image.fromarray(mask).save(tmp_path / "masks" / split / f"{stem}.png")
    return tmp_path


def test_sound_data_set(tool, root, capsys):
    assert tool.main([str(root)]) == 0
    printed = capsys.readouterr()
    assert printed.out.rstrip().endswith("No problem found.")
    assert "Streaking" in printed.out
    assert "checked 4 of 4 images" in printed.err


def test_each_problem_is_printed_and_counted(tool, root, capsys):
    (root / "masks" / "train" / "a.png").unlink()
    (root / "images" / "val" / "b.png").write_bytes(b"nothing")
    assert tool.main([str(root)]) == 1
    out = capsys.readouterr().out
    assert f"PROBLEM [image without mask] {root / 'images' / 'train' / 'a.png'}: " in out
    assert f"PROBLEM [unreadable] {root / 'images' / 'val' / 'b.png'}: " in out
    assert out.count("Remedy: ") == 2
    assert out.rstrip().endswith("2 problems found.")


def test_missing_root(tool, tmp_path, capsys):
    assert tool.main([str(tmp_path / "gone")]) == 1
    assert "gone: no such folder. Remedy: " in capsys.readouterr().out


def test_classes_and_suffixes(tool, root, capsys):
    assert tool.main([str(root), "--classes", "4"]) == 1
    assert "allowed are 0..3 and 255 (ignore)" in capsys.readouterr().out
    assert tool.main([str(root), "--classes", "7"]) == 0
    out = capsys.readouterr().out
    assert "class 6" in out
    assert "note: split 'train' has no pixel of class: class 6." in out
    for path in (root / "images").rglob("a.png"):
        path.rename(path.with_name("a_cam.tif"))
    for path in (root / "masks").rglob("*.png"):
        path.rename(path.with_name(f"{path.stem}_label.png"))
    suffixes = ["--img-suffix", ".png", "_cam.tif", "--seg-map-suffix", "_label.png"]
    assert tool.main([str(root), *suffixes]) == 0


def test_white_level(tool, root, tmp_path, capsys):
    values = np.full((16, 16), 4093, np.uint16)
    Image.fromarray(values).save(root / "images" / "val" / "b.png")
    assert tool.main([str(root)]) == 0
    assert "note: the values of 16-bit images never exceed 4093" in capsys.readouterr().out
    assert tool.main([str(root), "--white-level", "4095"]) == 0
    assert "note: the values" not in capsys.readouterr().out
    assert tool.main([str(root), "--white-level", "1023"]) == 1
    assert "PROBLEM [white level] " in capsys.readouterr().out
    assert tool.main([str(root), "--white-level", "0"]) == 1
    assert "white_level=0 is not a value" in capsys.readouterr().out
    config = tmp_path / "config.py"
    config.write_text(
        "val_dataloader = dict(dataset=dict(type='PowderBedDataset', white_level=1023,\n"
        f"    data_root={str(root)!r},\n"
        "    data_prefix=dict(img_path='images/val', seg_map_path='masks/val')))\n"
    )
    assert tool.main(["--config", str(config)]) == 1
    assert "above the white level 1023" in capsys.readouterr().out


def test_config_with_split_files(tool, root, tmp_path, capsys):
    config = tmp_path / "config.py"
    config.write_text(
        "def side(name):\n"
        "    prefix = dict(img_path=f'images/{name}', seg_map_path=f'masks/{name}')\n"
        f"    return dict(dataset=dict(type='PowderBedDataset', data_root={str(root)!r},\n"
        "                ann_file=f'{name}.txt', data_prefix=prefix))\n"
        "train_dataloader = side('train')\n"
        "val_dataloader = side('val')\n"
        "del side\n"
    )
    (root / "train.txt").write_text("a\n")
    (root / "val.txt").write_text("b\nzzz\n")
    assert tool.main(["--config", str(config)]) == 1
    out = capsys.readouterr().out
    assert "val.txt: line 2 names 'zzz'" in out
    (root / "val.txt").write_text("b\n")
    assert tool.main(["--config", str(config)]) == 0
    assert ["images", "1", "1"] in [line.split() for line in capsys.readouterr().out.splitlines()]
    assert tool.main([str(tmp_path / "gone"), "--config", str(config)]) == 1
    assert f"{tmp_path / 'gone' / 'images' / 'train'}: no such folder" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["--config", "gone.py"], ["root", "--classes", "0"]),
        *(["--config", "x", "--classes", "3"], ["--config", "x", "--white-level", "4095"]),
    ],
)
def test_wrong_use_exits_with_2(tool, arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        tool.main(arguments)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_exit_status_of_the_script(repository, root):
    script = [sys.executable, str(repository / "tools" / "check_dataset.py"), str(root)]
    assert subprocess.run(script, capture_output=True, timeout=60, cwd=repository).returncode == 0
    (root / "masks" / "val" / "a.png").write_bytes(b"")
    run = subprocess.run(script, capture_output=True, text=True, timeout=60, cwd=repository)
    assert run.returncode == 1
    assert "a.png: is empty (0 bytes)" in run.stdout


def test_real_magnetic_tiles_by_config(tool, repository, shared_data, capsys):
    config = repository / "configs" / "_base_" / "datasets" / "magnetic_tile.py"
    assert tool.main([str(shared_data / "magnetic_tile"), "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert ["images", "1056", "288"] in [line.split() for line in out.splitlines()]
    assert "Blowhole" in out
