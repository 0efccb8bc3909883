"""What the model is fed with, read from the tables of the documentation, which are the only place where it stands.

The commands that count write these tables (``python -m pynq_ee.bench.host.instructions``, ``make arm-footprint``,
``python -m pynq_ee.bench.host.bytes_per_image``); so what is modelled is from what is published. It needs a checkout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
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

#: How a row names a stream.
_STREAM = re.compile(r"`stream`, ([\d.]+)% undecided")

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
    handing
        Instructions of handing a batch's remainder over in pieces and taking it back, beside those of computing it.
    undecided
        Share of a stream's images that stay in the network.
    returned
        Bytes of results an image.
    """

    native: Mapping[str, Kinds]
    call: int
    streams: Mapping[int, int]
    handing: int
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
        (returned, *_) = (float(row[6]) for row in pages.rows(board_page, bytes_per_image.COMMAND))
        native = _native(pages.rows(board_page, instructions.command(target)))
        return assembled(pages.rows(stream_page, STREAM_COMMAND), native, returned)
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


def assembled(rows: Iterable[Sequence[str]], native: Mapping[str, Kinds], returned: float) -> Counts:
    """The counts, of which ``rows`` has streams and a call: ``64``, ```stream`, 1.4% undecided``, ``755,062``.

    Raises
    ------
    InputError
        Rows that are missing.
    """
    counted = {(what, int(images)): int(_number(number)) for images, what, number, *_ in rows}
    named = {what: float(match[1]) / 100 for what, _ in counted if (match := _STREAM.fullmatch(what))}
    name, undecided = next(iter(named.items()), ("`stream`", 0.0))
    streams = {images: number for (what, images), number in counted.items() if what == name}
    handed, call = (f"{name}, remainder handed over", max(streams, default=0)), ("`classify`", 1)
    if len(streams) < 2 or not counted.keys() >= {handed, call}:
        raise InputError(
            f"two batches of a `stream` are needed, the larger with its remainder handed over too, and a call of "
            f"`classify`, but counted was only {', '.join(f'{what} of {images}' for what, images in counted)}: "
            f"`{STREAM_COMMAND}` writes them"
        )
    return Counts(native, counted[call], streams, counted[handed] - streams[handed[1]], undecided, returned)


def _number(cell: str) -> float:
    return float(cell.replace(",", ""))
