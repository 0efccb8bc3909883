"""``manifest.json`` of an overlay that open tools made: what it is, of what it was made, and what was proved of it."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pynq_ee.generate import verilog
from pynq_ee.network import spec
from pynq_ee.network.spec import Board
from pynq_ee.network.weights import Model
from pynq_ee.openflow.placement import NOT_COVERED, Placement

#: Of what a model decides, among the digests of the sources.
GENERATED = "generated"


def sources(model: Model, rtl: Path) -> dict[str, str]:
    """SHA-256 of everything that decides the circuit: each file of ``hw/rtl`` itself, and what is generated of a model.

    An overlay with other digests in its manifest is stale.
    """
    digests = {path.name: digest(path) for path in sorted(rtl.glob("*.sv"))}
    return {**digests, GENERATED: hashlib.sha256(verilog.generated(model).encode()).hexdigest()}


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def content(
    model: Model,
    board: Board,
    clock_mhz: float,
    seed: int,
    placement: Placement,
    passed: list[str],
    tools: Mapping[str, str],
    digests: Mapping[str, Mapping[str, str]],
    date: str,
) -> dict[str, Any]:
    """The manifest, in JSON's types.

    Parameters
    ----------
    passed
        The rungs of the ladder that were climbed, in words; each completes "Passed:".
    tools
        Versions by program.
    digests
        ``sha256`` of the published files, ``source_sha256``, and ``netlist_sha256`` of the netlists between.
    """
    estimate = min(placement.mhz.values())
    return {
        "name": spec.OVERLAY_NAME,
        "build_id": f"{model.build_id:08x}",
        "interface_version": spec.INTERFACE_VERSION,
        "boards": [each.name for each in spec.BOARDS.values() if each.part == board.part],
        "part": board.part,
        "clock_mhz": clock_mhz,
        "pixels_per_beat": model.spec.pixels_per_beat,
        "kernel": "rtl",
        "flow": "open",
        "tools": dict(tools),
        "seed": seed,
        "timing": {
            "estimate_mhz": estimate,
            "margin_percent": round(100 * (estimate / clock_mhz - 1), 1),
            "not_covered": list(NOT_COVERED),
        },
        "utilization": {kind: {"used": used, "available": of} for kind, (used, of) in placement.used.items()},
        **{name: dict(values) for name, values in digests.items()},
        "passed": passed,
        "tried_on_board": False,
        "revision": _revision(),
        "date": date,
    }


def _revision() -> str:
    """The checked-out revision, with -dirty when tracked files differ from it; the overlays themselves do not count."""
    root = Path(__file__).resolve().parents[2]
    git = ["git", "-C", str(root)]
    try:
        head = subprocess.run([*git, "rev-parse", "--verify", "HEAD"], capture_output=True, text=True, check=True)
        state = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!overlay"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("-dirty" if state.stdout.strip() else "")
