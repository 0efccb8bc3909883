"""What a measurement was made on, and with which versions."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pynq_ee

_PACKAGES = ("numpy", "pynq", "torch", "onnxruntime", "onnx", "ai-edge-litert", "matplotlib")


def describe() -> dict[str, Any]:
    """Processor, cores, load, operating system, versions, git revision and time, for JSON."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "load_average": list(os.getloadavg()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {"pynq_ee": pynq_ee.__version__, **{name: _version(name) for name in _PACKAGES}},
        "git_revision": git_revision(),
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def busy() -> str:
    """A warning where others work on this machine too, by its load average of the last minute; else empty."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load <= 0.5 * cores:
        return ""
    return f"load average {load:.1f} on {cores} cores: others work here too, and the times will be too long"


def processor() -> str:
    """Name of the processor, as the kernel has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    found = {key.strip().lower(): value.strip() for key, value in fields.items()}
    return found.get("model name") or found.get("hardware") or platform.processor() or platform.machine()


def git_revision() -> str:
    """Revision of the checkout that the package lies in, with ``+`` where files differ; empty outside of one."""
    command = ["git", "-C", str(Path(pynq_ee.__file__).parent), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
