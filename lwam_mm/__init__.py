"""Layer-wise in-situ defect segmentation for laser powder bed fusion (LWAM) on OpenMMLab.

Importing this package is light: it pulls in neither torch nor OpenMMLab. The training side has
one door, :mod:`lwam_mm.plugin`; the runtime side, beside the machine, is :mod:`lwam_mm.runtime`.
"""

from lwam_mm.version import __version__

__all__ = ["__version__"]
