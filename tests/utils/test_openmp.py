from __future__ import annotations

import os
import subprocess
import sys

from lwam_mm.utils.openmp import spin_briefly

VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def test_users_choice_is_kept(monkeypatch):
    for name, value in zip(VARIABLES, ("ACTIVE", "7"), strict=True):
        for variable in VARIABLES:
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv(name, value)
        spin_briefly()
        assert {v: os.environ.get(v) for v in VARIABLES if v in os.environ} == {name: value}


def test_the_plugin_chooses_before_torch_is_there():
    """GNU OpenMP reads the variable once, when torch loads it."""
    script = (
        "import sys, os, importlib.abc\n"
        "class Watch(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'torch':\n"
        "            print('spins', os.environ.get('GOMP_SPINCOUNT'))\n"
        "sys.meta_path.insert(0, Watch())\n"
        "import lwam_mm.plugin\n"
    )
    environment = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[0] == "spins 20000"
