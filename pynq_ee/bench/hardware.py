"""The circuit's figures, as the paper's table 2 has them: clock, clocks an image and a batch, latency, resources.

Clocks are *modelled* by the cycle model of the dataflow. Resources and slack are known only of a circuit that a tool
has built: they come from the manifest that ``hw/build.tcl`` writes beside a bitstream, and are missing without one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pynq_ee import bitfiles
from pynq_ee.errors import PynqEEError
from pynq_ee.spec import BOARDS, Board, Spec

#: Images of the batch whose clocks are told.
BATCH = 1024

#: The paper's device, for which no board of ours stands: another speed grade and five times the fabric of a 7020.
PAPER_PART = "xc7vx690t"

UNKNOWN = "not built"


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
        """Time of one image alone, from its first beat to its last (*modelled*)."""
        return self.clocks_one / self.clock_mhz

    @property
    def images_per_second(self) -> float:
        """Images a second in batches of :data:`BATCH` (*modelled*)."""
        return BATCH / self.clocks_batch * self.clock_mhz * 1e6


def figures(spec: Spec) -> list[Figures]:
    """The figures of both stream widths, on every part that a board here has and on the paper's."""
    from pynq_ee.sim import dataflow

    parts: dict[str, Board | None] = {}
    for board in BOARDS.values():
        parts.setdefault(board.part, board)
    parts[PAPER_PART] = None
    return [
        Figures(
            part,
            pixels,
            board.clock_mhz if board else BOARDS["pynq-z2"].clock_mhz,
            dataflow.batch_clocks(replace(spec, pixels_per_beat=pixels), 1, True),
            dataflow.batch_clocks(replace(spec, pixels_per_beat=pixels), BATCH, True),
            _resources(board, pixels),
        )
        for part, board in parts.items()
        for pixels in (4, 8)
    ]


def markdown(rows: list[Figures]) -> str:
    """The figures as a Markdown table, each column with where it comes from."""
    lines = [
        "| part | pixels a beat | target clock | one image | latency | batch of "
        f"{BATCH} | clocks an image | images a second | resources |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        "| | | *chosen* | *modelled* | *modelled* | *modelled* | *modelled* | *modelled* | *measured with Vivado* |",
    ]
    lines += [
        f"| {row.part} | {row.pixels_per_beat} | {row.clock_mhz:g} MHz | {row.clocks_one} clocks "
        f"| {row.latency_micros:.2f} us | {row.clocks_batch} clocks | {row.steady_clocks:.2f} "
        f"| {row.images_per_second:,.0f} | {row.resources} |"
        for row in rows
    ]
    return "\n".join(lines)


def _resources(board: Board | None, pixels: int) -> str:
    """Utilization from the manifest of a board's overlay, if that is of this stream width."""
    if board is None:
        return UNKNOWN
    try:
        manifest: dict[str, Any] = bitfiles.manifest(bitfiles.find_for(board))
    except PynqEEError:
        return UNKNOWN
    if manifest.get("pixels_per_beat") != pixels or "utilization" not in manifest:
        return UNKNOWN
    return ", ".join(f"{name} {counts}" for name, counts in manifest["utilization"].items())
