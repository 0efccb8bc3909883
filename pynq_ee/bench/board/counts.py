"""What the model is fed with, read from the tables of the documentation, which are the only place where it stands.

The commands that count write these tables (``python -m pynq_ee.bench.host.instructions``, ``make arm-footprint``,
``python -m pynq_ee.bench.host.bytes_per_image``); so what is modelled is from what is published. It needs a checkout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pynq_ee.bench import pages
from pynq_ee.bench.host import bytes_per_image, instructions
from pynq_ee.bench.host.instructions import KINDS
from pynq_ee.errors import InputError

DOCUMENTATION = Path(__file__).parents[3] / "docs"

#: The page of the native engine's instructions and of the bytes, and that of the streams' instructions.
BOARD_PAGE, STREAM_PAGE = DOCUMENTATION / "board.md", DOCUMENTATION / "reliability.md"

#: What counts the streams.
STREAM_COMMAND = "make arm-footprint"

Kinds = Mapping[str, float]


@dataclass(frozen=True)
class Counts:
    """Counted on one processor.

    Attributes
    ----------
    native
        For each task of the native engine its instructions an image, by kind.
    call
        Instructions of a call for one image, which leaves.
    streams
        Instructions of a batch in a stream, all in, for some numbers of images.
    undecided
        Share of a stream's images that stay in the network.
    returned
        Bytes of results an image.
    """

    native: Mapping[str, Kinds]
    call: int
    streams: Mapping[int, int]
    undecided: float
    returned: float

    def interpreter(self, images: int) -> float:
        """Instructions of a batch but for copy, decision and remainder: Python, NumPy, and the checks.

        One image is a call of its own. Other numbers are on the line through the two nearest that were counted.
        """
        if images == 1:
            return self.call - sum(sum(self.native[task].values()) for task in ("decision", "copy"))
        known = sorted(self.streams)
        upper = next((each for each in known[1:] if each >= images), known[-1])
        lower = known[known.index(upper) - 1]
        first, second = (self._without_native(each) for each in (lower, upper))
        return first + (second - first) * (images - lower) / (upper - lower)

    def _without_native(self, images: int) -> float:
        times = {"decision": images, "copy": images, "remainder": round(self.undecided * images)}
        return self.streams[images] - sum(sum(self.native[task].values()) * number for task, number in times.items())


def read(target: str, board_page: Path = BOARD_PAGE, stream_page: Path = STREAM_PAGE) -> Counts:
    """The counts of a processor in :data:`pynq_ee.bench.host.instructions.TARGETS`; streams are counted on ARMv7.

    Raises
    ------
    InputError
        A page without the tables.
    """
    try:
        call, streams, undecided = batches(pages.rows(stream_page, STREAM_COMMAND))
        (returned, *_) = (float(row[6]) for row in pages.rows(board_page, bytes_per_image.COMMAND))
        return Counts(_native(pages.rows(board_page, instructions.command(target))), call, streams, undecided, returned)
    except OSError as error:
        raise InputError(f"{error}: the model is computed from the documentation of a checkout") from error


def native(counted: list[instructions.Count]) -> dict[str, Kinds]:
    """Instructions an image by kind, from what was counted right now."""
    return {
        found.task: {
            kind: sum(kinds.get(kind, 0) for kinds in found.functions.values()) / found.images for kind in KINDS
        }
        for found in counted
    }


def _native(rows: list[list[str]]) -> dict[str, Kinds]:
    return {
        row[0].split(",")[0]: {kind: _number(cell) for kind, cell in zip(KINDS, row[2:])}
        for row in rows
        if row[1] == "**all**"
    }


def batches(rows: list[list[str]]) -> tuple[int, dict[int, int], float]:
    """Of a call, of streams by their images, and the share that stays: ``64, `stream`, 1.4% undecided, 755,062``."""
    streams = [(row, match) for row in rows if (match := re.match(r"`stream`, ([\d.]+)% undecided", row[1]))]
    calls = [row for row in rows if row[1] == "`classify`"]
    if len(streams) < 2 or not calls:
        raise InputError(
            f"{len(streams)} numbers of images of a `stream` were counted, and {len(calls)} calls of `classify`; the "
            f"model needs two and one: `{STREAM_COMMAND}` writes them"
        )
    counted = {int(row[0]): int(_number(row[2])) for row, _ in streams}
    return int(_number(calls[0][2])), counted, float(streams[0][1][1]) / 100


def _number(cell: str) -> float:
    return float(cell.replace(",", ""))
