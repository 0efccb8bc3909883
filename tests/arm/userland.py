"""Root filesystems of ARM boards: Debian's packages, and pynq, made once and kept by the list of what is in them.

``PYTHONPATH=tests python -m arm.userland armhf`` opens a shell in one, with the checkout in ``/checkout``; a command
after the architecture is run instead. Nothing but a folder is made, in the user's cache (``PYNQ_EE_CACHE``).
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from arm import emulation
from installations import ROOT, image
from pynq_ee import cache

#: Its Python, NumPy and Pillow are of the years of the boards' images, and inside what setup.py allows.
SUITE = "bookworm"

#: What a board's image carries, and what runs the tests.
PACKAGES = (
    *("python3", "python3-dev", "python3-pip", "python3-setuptools", "python3-wheel", "python3-venv", "g++", "make"),
    *("python3-numpy", "python3-pil", "python3-cffi", "python3-pycparser", "python3-pydantic", "python3-jsonschema"),
    *("python3-ipython", "python3-tqdm", "python3-nest-asyncio", "python3-magic"),
    *("python3-pytest", "python3-hypothesis"),
)

#: What Debian does not have: pynq as an image carries it, and data: sample digits, and C++ headers of the kernel.
#: All of it is plain Python here. On a board, pynq compiles besides what drives audio and video.
RELEASES = (
    *(f"{name}=={image()[name]}" for name in ("pynq", "pynqmetadata", "pynqutils")),
    *("mlxtend>=0.21,<0.24", "hls4ml>=1.0,<2"),
)

#: Files, and no more: what packages do when they are configured takes a quarter of an hour under emulation.
_OPTIONS = (
    "--variant=extract",
    "--include=?essential",
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    "--skip=check/qemu",  # it asks the machine, not these namespaces
    "--format=directory",
    # Security updates are of no use here, and a mirror in the midst of fetching them would stop it all.
    """--setup-hook=sed -i /security/d "$1"/etc/apt/sources.list""",
    '--aptopt=APT::Install-Recommends "false"',
    *(f"--dpkgopt=path-exclude={path}" for path in ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")),
)

#: What is left to do of configuring, for what runs here: users, names that packages give each other's files, libraries.
_LINKS = {
    "usr/bin/cc": "gcc",
    "usr/bin/c++": "g++",
    "usr/lib/{triplet}/libblas.so.3": "blas/libblas.so.3",
    "usr/lib/{triplet}/liblapack.so.3": "lapack/liblapack.so.3",
}
_USERS = {"etc/passwd": "usr/share/base-passwd/passwd.master", "etc/group": "usr/share/base-passwd/group.master"}

#: Bytecode only of what is imported: compiling all of it takes minutes.
_IMPORTED = "import pynq, pynq.lib, jsonschema, IPython, PIL.Image, pytest, hypothesis, setuptools, pip"

#: Where Debian's Python looks for what pip installs.
_SITE_PACKAGES = "usr/local/lib/python3.11/dist-packages"


def make(architecture: str) -> Path:
    """The root filesystem of an architecture; made if there is none of these packages. Two do not make it at once."""
    recipe = json.dumps([architecture, SUITE, PACKAGES, RELEASES, _OPTIONS, _LINKS, _USERS, _IMPORTED])
    path = cache.writable() / "userland" / f"{architecture}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f"{architecture}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            with tempfile.TemporaryDirectory(prefix=f".{architecture}-", dir=path.parent) as building:
                _make(architecture, Path(building) / "root").rename(path)
    return path


def _make(architecture: str, root: Path) -> Path:
    if shutil.which("mmdebstrap") is None:
        raise SystemExit("no mmdebstrap, which makes root filesystems: sudo apt install mmdebstrap qemu-user-static")
    begun = time.monotonic()
    print(f"a root filesystem of Debian {SUITE}, {architecture}, in {root.parent.parent}: minutes, once")
    root.parent.chmod(0o755)
    script = [sys.executable, emulation.__file__, architecture, "--", "mmdebstrap", "--mode=root"]
    _do(*script, f"--architectures={architecture}", f"--include={','.join(PACKAGES)}", *_OPTIONS, SUITE, str(root))
    triplet = emulation.ARCHITECTURES[architecture].triplet
    for link, target in _LINKS.items():
        (root / link.format(triplet=triplet)).symlink_to(target)
    for file, master in _USERS.items():
        shutil.copyfile(root / master, root / file)
    _do(*emulation.command(architecture, "/sbin/ldconfig", root=root))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile")
    _do(*pip, "--no-deps", "--no-build-isolation", f"--target={root / _SITE_PACKAGES}", *RELEASES)
    # Bytecode of what every program imports: else each root filesystem's first program would be another measurement.
    _do(*emulation.command(architecture, "/usr/bin/python3", "-c", _IMPORTED, root=root))
    print(f"made in {time.monotonic() - begun:.0f} s")
    return root


def _do(*words: str) -> None:
    done = subprocess.run(words, check=False)
    if done.returncode:
        raise SystemExit(f"status {done.returncode} of: {' '.join(words)}")


def environment(architecture: str, **variables: str) -> dict[str, str]:
    """The variables of a program there: those of a login on a board, and the processor that QEMU is to be."""
    return {
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "QEMU_CPU": emulation.ARCHITECTURES[architecture].processor,
        **variables,
    }


def run(
    architecture: str,
    *words: str | Path,
    binds: Mapping[Path, str] | None = None,
    timeout: float | None = None,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run a command in the architecture's root filesystem and return what it printed."""
    return subprocess.run(
        emulation.command(architecture, *words, root=make(architecture), binds=binds),
        env=environment(architecture, **variables),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def main() -> int:
    """A shell, or a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architecture", choices=emulation.ARCHITECTURES)
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    args = parser.parse_args()
    words = emulation.command(
        args.architecture, *(args.words or ["/bin/bash"]), root=make(args.architecture), binds={ROOT: "/checkout"}
    )
    return subprocess.run(words, env=environment(args.architecture, TERM="linux"), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
