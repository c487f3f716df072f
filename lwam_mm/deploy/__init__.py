"""Export of the folded student through MMDeploy into a bundle for the runtime.

MMDeploy imports this package where a deploy config names it
(``codebase_config = dict(..., module=['lwam_mm.deploy'])``), also in the processes that it spawns.
"""

from __future__ import annotations

import importlib.util

from lwam_mm import compat

if importlib.util.find_spec("mmdeploy") is None:
    raise ModuleNotFoundError(
        "mmdeploy is not installed. Its declared requirements exclude every current onnx, so "
        "install it without them: pip install 'lwam-mm[deploy]', then "
        "pip install --no-deps mmdeploy==1.3.1",
        name="mmdeploy",
    )

compat.apply()


from lwam_mm.deploy import backends, codebase  # noqa: E402, F401  register over MMDeploy's own
