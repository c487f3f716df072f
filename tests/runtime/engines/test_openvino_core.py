from __future__ import annotations

import subprocess
import sys

import pytest

from lwam_mm.runtime.engines.openvino_core import openvino_core

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signal stacks of Linux")

# Destroys two cores in the order in which they were made, then prints whether the thread's signal
# stack is there.
_LIFETIMES = """
import ctypes, gc, sys
import numpy as np
from lwam_mm.runtime.engines.openvino_core import openvino_core
from lwam_mm.runtime.engines.telemetry import no_telemetry
with no_telemetry():
    import openvino
    from openvino import opset13

def compiled(core):
    x = opset13.parameter([1, 4], np.float32)
    return core.compile_model(openvino.Model([opset13.relu(x)], [x]), "CPU")

make = openvino_core if sys.argv[1] == "shared" else openvino.Core
cores = [make(), make()]
models = [compiled(core) for core in cores]
for _ in range(2):
    del cores[0], models[0]
    gc.collect()

class Stack(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]

stack = Stack()
ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
spans = [[int(n, 16) for n in line.split()[0].split("-")] for line in open("/proc/self/maps")]
print(stack.start is None or any(low <= stack.start < high for low, high in spans))
"""


def signal_stack_is_there(cores: str) -> bool:
    found = subprocess.run(
        [sys.executable, "-c", _LIFETIMES, cores], capture_output=True, text=True, check=True
    )
    return found.stdout.strip() == "True"


def test_there_is_one():
    assert openvino_core() is openvino_core()


def test_the_signal_stack_stays():
    assert signal_stack_is_there("shared")


def test_without_it_the_signal_stack_goes():
    # Once this fails, OpenVINO is mended, and openvino_core is not needed any more.
    assert not signal_stack_is_there("many")
