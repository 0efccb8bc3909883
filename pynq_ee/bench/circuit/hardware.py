"""The circuit's figures, as the paper's table 2 has them: clock, clocks an image and a batch, latency, resources.

Clocks are *modelled* by the cycle model of the dataflow. Resources and slack of a circuit that Vivado has built come
from the manifest that ``hw/build.tcl`` writes beside a bitstream. Of one that it has not, there are at most those of
the overlay in RTL, by Yosys (:mod:`pynq_ee.bench.circuit.estimate`). An overlay that open tools have made has a row
of its own, from its manifest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pynq_ee.driver import bitfiles
from pynq_ee.errors import PynqEEError
from pynq_ee.network.spec import BOARDS, DEFAULT_BOARD, Board, Spec
from pynq_ee.network.weights import Model

#: Images of the batch whose clocks are told.
BATCH = 1024

#: The paper's device, for which no board of ours stands: another speed grade and five times the fabric of a 7020.
PAPER_PART = "xc7vx690t"

UNKNOWN = "not built"

#: What the row of an overlay that open tools have made says behind its part.
OPEN_TOOLS = "open tools"

#: What is raised by a manifest without figures, or of another program's.
_NO_FIGURES = (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError)

#: The parts for whose family, ``synth_xilinx -family xc7``, the overlay in RTL is synthesized.
_ESTIMATED_FAMILY = "xc7"


@dataclass(frozen=True)
class Figures:
    """What is known of one circuit on one part."""

    part: str
    pixels_per_beat: int
    clock_mhz: float
    clocks_one: int
    clocks_batch: int
    resources: str

    @property
    def steady_clocks(self) -> float:
        """Clocks an image within a large batch (*modelled*)."""
        return self.clocks_batch / BATCH

    @property
    def latency_micros(self) -> float:
        """Time of one image alone, from the kernel's start until its features are sent or dropped (*modelled*)."""
        return self.clocks_one / self.clock_mhz

    @property
    def images_per_second(self) -> float:
        """Images a second in batches of :data:`BATCH` (*modelled*)."""
        return BATCH / self.clocks_batch * self.clock_mhz * 1e6


def figures(model: Model, estimates: Iterable[Mapping[str, Any]] = ()) -> list[Figures]:
    """The figures of a model's circuit with both stream widths, on every part that a board here has and on the paper's.

    Parameters
    ----------
    model
        The network. A bitstream of another one does not count.
    estimates
        Rows of :func:`pynq_ee.bench.circuit.estimate.read`, for the resources of what is not built.
    """
    parts: dict[str, Board | None] = {}
    for each in BOARDS.values():
        parts.setdefault(each.part, each)
    parts[PAPER_PART] = None
    estimated = {row["build_id"]: row["resources"] for row in estimates}
    rows = []
    for part, board in parts.items():
        for pixels in (4, 8):
            spec = replace(model.spec, pixels_per_beat=pixels)
            build_id = replace(model, spec=spec).build_id
            built = _manifest(board, build_id)
            resources = _measured(built)
            if resources == UNKNOWN and part.startswith(_ESTIMATED_FAMILY):
                resources = _synthesized(estimated.get(f"{build_id:08x}"))
            rows.append(_row(part, spec, built.get("clock_mhz", (board or DEFAULT_BOARD).clock_mhz), resources))
        rows += _open(parts[part], model)
    return rows


def markdown(rows: list[Figures]) -> str:
    """The figures as a Markdown table, each column with where it comes from; parts of equal figures share a row."""
    parts: dict[Figures, list[str]] = {}
    for row in rows:
        parts.setdefault(replace(row, part=""), []).append(row.part)
    lines = [
        "| part | pixels a beat | target clock | one image | latency | batch of "
        f"{BATCH} | clocks an image | images a second | resources |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        "| | | *chosen* | *modelled* | *modelled* | *modelled* | *modelled* | *modelled* | |",
    ]
    lines += [
        f"| {', '.join(names)} | {row.pixels_per_beat} | {row.clock_mhz:g} MHz | {row.clocks_one} clocks "
        f"| {row.latency_micros:.2f} us | {row.clocks_batch} clocks | {row.steady_clocks:.2f} "
        f"| {row.images_per_second:,.0f} | {row.resources} |"
        for row, names in parts.items()
    ]
    return "\n".join(lines)


def _manifest(board: Board | None, build_id: int) -> dict[str, Any]:
    """The manifest of a board's overlay, if that is of this build_id; else nothing."""
    if board is None:
        return {}
    try:
        found = bitfiles.manifest(bitfiles.find_for(board, build_id))
    except PynqEEError:
        return {}
    return found if found.get("build_id") == build_id else {}


def _open(board: Board | None, model: Model) -> list[Figures]:
    """The row of the overlay that open tools have made of this model for a part, if there is one."""
    experimental = bitfiles.open_bitfile(board) if board else None
    if board is None or experimental is None:
        return []
    built, here = bitfiles.manifest(experimental), bitfiles.as_in_open(model, board)
    if built.get("build_id") != here.build_id:
        return []
    return [_row(f"{board.part}, {OPEN_TOOLS}", here.spec, built["clock_mhz"], _placed(built))]


def _row(part: str, spec: Spec, clock_mhz: float, resources: str) -> Figures:
    from pynq_ee.sim import dataflow

    one, batch = (dataflow.batch_clocks(spec, images, True) for images in (1, BATCH))
    return Figures(part, spec.pixels_per_beat, clock_mhz, one, batch, resources)


def _used(built: dict[str, Any]) -> str:
    counts = (
        f"{name} {count['used']:,} ({100 * count['used'] / count['available']:.0f} %)"
        for name, count in built["utilization"].items()
    )
    return ", ".join(counts)


def _placed(built: dict[str, Any]) -> str:
    """Resources as the placer counted them, and its estimate of the clock, which is no promise."""
    try:
        estimate = built["timing"]["estimate_mhz"]
        tried = "" if built["tried_on_board"] else ", tried on no board"
        return f"{_used(built)}, *counted*; clock estimated at {estimate:g} MHz; RTL kernel, experimental{tried}"
    except _NO_FIGURES:
        return UNKNOWN


def _measured(built: dict[str, Any]) -> str:
    """Resources and slack as Vivado reported them."""
    try:
        slack, release = built["slack_ns"]["setup"], built["tools"]["vivado"]
        # An overlay of before there were two kernels has that of HLS, and says nothing.
        kernel = f", {built['kernel'].upper()} kernel" if "kernel" in built else ""
        return f"{_used(built)}, slack {slack:g} ns; *measured*, Vivado {release}{kernel}"
    except _NO_FIGURES:
        return UNKNOWN


def _synthesized(resources: Mapping[str, float] | None) -> str:
    """Resources of the overlay in RTL, if they have been counted."""
    if resources is None:
        return UNKNOWN
    counts = ", ".join(f"{name} {count:,g}" for name, count in resources.items())
    return f"{UNKNOWN}; overlay in RTL: {counts}, *counted*, Yosys"
