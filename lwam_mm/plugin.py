"""The training side's one door: importing it repairs upstream packages and registers our modules.

A config says ``custom_imports = dict(imports=['lwam_mm.plugin'], allow_failed_imports=False)``,
and the stock tools of MMSegmentation and MMDeploy then know everything that is here.
"""

# ruff: noqa: E402, F401  the repairs have to come before the packages that they repair

from lwam_mm import compat

compat.apply()

import lwam_mm.models
