"""Inference engines for MMDeploy, replacing its own that no longer work.

MMDeploy 1.3.1 asks OpenVINO for ``mo`` and ``openvino.inference_engine``, which are gone, and ncnn
for a binary that no wheel ships. Importing this package registers managers and wrappers that work
with today's wheels under the same names.
"""

# MMDeploy imports its backends on first use, and they register themselves then: import them before
# ours, or they would take the names back.
import mmdeploy.backend.ncnn
import mmdeploy.backend.openvino  # noqa: F401
from mmdeploy.backend.base import BACKEND_MANAGERS
from mmdeploy.utils.timer import TimeCounter

for _name in ("ncnn", "openvino"):
    # A taken name leads to a message on the console (managers) or an error (timers).
    BACKEND_MANAGERS._module_dict.pop(_name, None)
    TimeCounter.names.pop(_name, None)

from lwam_mm.deploy.backends.errors import BackendError  # noqa: E402
from lwam_mm.deploy.backends.ncnn import NcnnManager, NcnnWrapper  # noqa: E402
from lwam_mm.deploy.backends.openvino import OpenVINOManager, OpenVINOWrapper  # noqa: E402

__all__ = ["BackendError", "NcnnManager", "NcnnWrapper", "OpenVINOManager", "OpenVINOWrapper"]
