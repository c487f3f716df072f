from __future__ import annotations

import importlib.util

import pytest


@pytest.fixture(scope="module")
def tool(repository):
    spec = importlib.util.spec_from_file_location(
        "kill_and_resume_tool", repository / "tools" / "kill_and_resume.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_killed_training_is_the_undisturbed_one(tool, tmp_path, capsys):
    arguments = ["--kills", "2", "--iterations", "30", "--work-dir", str(tmp_path / "work")]
    assert tool.main([*arguments, "--seed", "3"]) == 0
    said = capsys.readouterr().out
    assert (tmp_path / "work" / "kill.log").read_text() == said
    assert "kill  2 of 2: " in said
    assert "is the undisturbed one to the last bit" in said
    with pytest.raises(FileExistsError, match="remove it or choose another --work-dir"):
        tool.main(arguments)


def test_difference_is_told_and_the_status_is_1(tool, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tool, "kill_and_resume", lambda config, folder, kills, seed, say: False)
    assert tool.main(["--work-dir", str(tmp_path / "work")]) == 1
