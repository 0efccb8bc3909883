"""Table 3 for boards that nobody has measured, *modelled*: rates with their range, and what bounds each.

``python -m pynq_ee.bench.board.modelled`` prints the rows, the busy times behind them and the constants with their
sources, or puts them into the documentation. What it is computed from is in the tables of other commands there
(:mod:`pynq_ee.bench.board.counts`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pynq_ee.bench import pages, plots, programs
from pynq_ee.bench.board import counts, machines, model
from pynq_ee.bench.board.counts import Counts
from pynq_ee.bench.board.machines import Machine
from pynq_ee.bench.board.model import BEST, USUAL, WORST, Batch, Time
from pynq_ee.errors import status

COMMAND = "python -m pynq_ee.bench.board.modelled"

README = counts.DOCUMENTATION.parent / "README.md"

BATCHES = (1, 256, 1024)

SOFTWARE, FABRIC, IN_PLACE = "software, early exit", "first exit in fabric", "first exit in fabric, images in place"

#: The batch whose stages are told.
_SHOWN = 1024

_EXAMPLES = f"""\
examples:
  {COMMAND}
  {COMMAND} --write --plot docs/results/board.png   and into the documentation"""


@dataclass(frozen=True)
class Row:
    """A batch on a machine: its time at the machine's worst, as usual, and at its best."""

    machine: str
    way: str
    batch: Batch
    worst: Time
    usual: Time
    best: Time


def rows(machine: Machine, counted: Counts, batches: Sequence[int] = BATCHES) -> list[Row]:
    """Every way of a machine, for each number of images."""
    found = []
    for images in batches:
        cores = (1, 2) if images > 1 else (1,)
        found += [_row(machine, counted, SOFTWARE, Batch(images, each)) for each in cores]
        found += [_row(machine, counted, FABRIC, Batch(images, each)) for each in cores]
        found += [_row(machine, counted, IN_PLACE, Batch(images, each, True)) for each in cores]
    return found


def _row(machine: Machine, counted: Counts, way: str, batch: Batch) -> Row:
    compute = model.in_software if way == SOFTWARE else model.in_fabric
    worst, usual, best = (compute(batch, counted, machine, when) for when in (WORST, USUAL, BEST))
    return Row(machine.name, way, batch, worst, usual, best)


def rates_table(found: Sequence[Row]) -> str:
    """The rows as a Markdown table; a speed-up is over the software on as many cores."""
    lines = [
        "| board | batch | cores | way | us an image | images/s | speed-up | bound by |",
        "| --- | ---: | ---: | --- | ---: | ---: | ---: | --- |",
    ]
    software = {(row.machine, row.batch.images, row.batch.cores): row for row in found if row.way == SOFTWARE}
    for row in found:
        than = software[row.machine, row.batch.images, row.batch.cores]
        micros = f"{_micros(row.usual)} ({_micros(row.best)} to {_micros(row.worst)})"
        rates = f"{_rate(row.usual)} ({_rate(row.worst)} to {_rate(row.best)})"
        ratio = f"{than.usual.an_image / row.usual.an_image:.1f}"
        lines.append(
            f"| {row.machine} | {row.batch.images} | {row.batch.cores} | {row.way} | {micros} | {rates} | {ratio} "
            f"| {row.usual.bound} |"
        )
    return "\n".join(lines)


def busy_table(found: Sequence[Row]) -> str:
    """Where the time goes through the fabric: the stages on one core; with two and images in place, what is busy."""
    lines = [
        f"| board | what, batches of {_SHOWN} | us an image | at best | at worst |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for row in found:
        if row.way != {1: FABRIC, 2: IN_PLACE}[row.batch.cores] or row.batch.images != _SHOWN:
            continue
        parts = (lambda time: time.stages) if row.batch.cores == 1 else (lambda time: time.busy)
        for name in parts(row.usual):
            figures = [f"{1e6 * parts(time)[name] / row.batch.images:.2f}" for time in (row.usual, row.best, row.worst)]
            what = name if row.batch.cores == 1 else f"with two cores: {name}"
            if row.batch.cores == 1 or name != "fabric":
                lines.append(f"| {row.machine} | {what} | {' | '.join(figures)} |")
    return "\n".join(lines)


def constants_table(machine: Machine) -> str:
    """The constants of a machine as a Markdown table."""
    lines = ["| constant | unit | low | usual | high | from |", "| --- | --- | ---: | ---: | ---: | --- |"]
    for name, quantity in machines.QUANTITIES.items():
        value = machine.ranges[name]
        figures = " | ".join(f"{each:g}" for each in value[:3])
        lines.append(f"| {quantity.meaning} | {quantity.unit} | {figures} | {value.source} |")
    return "\n".join(lines)


def text(found: Sequence[Row], counted: Counts) -> str:
    """All of it, for the documentation."""
    parts = [
        f"*Modelled*: the usual figure, and the range that the constants below allow. {counted.undecided:.1%} of the "
        "images stay.",
        rates_table(found),
        "Where the time goes, if one core does all of it; with two and images in place, how long each is busy:",
        busy_table(found),
    ]
    for machine in machines.BOARDS:
        parts += [f"The constants of a {machine.name}:", constants_table(machine)]
    return "\n\n".join(parts)


def in_short(found: Sequence[Row], counted: Counts) -> str:
    """The rates of a PYNQ-Z2 in a sentence, for the README."""

    def rates(way: str) -> str:
        """On one core and on two."""
        chosen = [
            row for row in found if (row.machine, row.way, row.batch.images) == (machines.PYNQ_Z2.name, way, _SHOWN)
        ]
        one, two = (f"{_rate(row.usual)} ({_rate(row.worst)} to {_rate(row.best)})" for row in chosen)
        return f"{one} on one core, {two} on both"

    bound = next(row.usual.bound for row in reversed(found) if row.machine == machines.PYNQ_Z2.name)
    return (
        f"For a **{machines.PYNQ_Z2.name}** by itself, *modelled* from counted instructions and from constants that "
        f"are\npublished or estimated, batches of {_SHOWN} with {counted.undecided:.1%} undecided, images a second:\n\n"
        f"- all software: {rates(SOFTWARE)};\n"
        f"- first exit in the fabric: {rates(FABRIC)};\n"
        f"- with images written in place: {rates(IN_PLACE)}, bounded by {bound}."
    )


def beside(board: str, images: int) -> str | None:
    """What is modelled of a stream on a board, in words, to stand beside what was measured; None of another board.

    Raises
    ------
    InputError
        As :func:`everything`.
    """
    machine = next((each for each in machines.BOARDS if each.board.name == board), None)
    if machine is None:
        return None
    row = _row(machine, counts.read(machine.target), FABRIC, Batch(images, 1 if images == 1 else 2))
    return f"{_micros(row.usual)} ({_micros(row.best)} to {_micros(row.worst)})"


def everything() -> tuple[list[Row], Counts]:
    """The rows of all boards, from the documentation's counts; and those of the first.

    Raises
    ------
    InputError
        A page without a table that is needed, or no checkout.
    """
    counted = {machine.name: counts.read(machine.target) for machine in machines.BOARDS}
    found = [row for machine in machines.BOARDS for row in rows(machine, counted[machine.name])]
    return found, counted[machines.BOARDS[0].name]


def plot(found: Sequence[Row], path: Path) -> None:
    """Bars of the stages of a batch on one core, with their ranges, a panel for each board."""
    chosen = [row for row in found if (row.way, row.batch) == (FABRIC, Batch(_SHOWN))]
    with plots.figure(path, columns=len(chosen), size=(10, 3.8), squeeze=False) as grid:
        for axes, row in zip(grid[0], chosen):
            names = list(row.usual.stages)
            usual, best, worst = (
                [1e6 * time.stages[name] / row.batch.images for name in names]
                for time in (row.usual, row.best, row.worst)
            )
            spread = [
                [middle - low for middle, low in zip(usual, best)],
                [high - middle for middle, high in zip(usual, worst)],
            ]
            colours = [plots.COLOURS[2] if name == "fabric" else plots.COLOURS[0] for name in names]
            axes.barh(names, usual, xerr=spread, color=colours, ecolor="black", capsize=2)
            axes.invert_yaxis()
            axes.set_xlabel("us an image")
            axes.set_title(f"{row.machine}, batches of {row.batch.images}, one core (modelled)", fontsize=10)


def _micros(time: Time) -> str:
    return f"{1e6 * time.an_image:.2f}"


def _rate(time: Time) -> str:
    return f"{1 / time.an_image:,.0f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Model and print; return 0."""
    parser = programs.parser(COMMAND, __doc__, _EXAMPLES)
    parser.add_argument(
        "--write", action="store_true", help="put the tables into docs/board.md and the rates in short into README.md"
    )
    parser.add_argument("--plot", type=Path, help="draw the stages into this picture")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON instead of tables")
    options = parser.parse_args(arguments)
    if options.plot:
        plots.check(options.plot)
    if options.write:
        for page in (counts.BOARD_PAGE, README):
            pages.check(page, COMMAND)
    found, counted = everything()
    if options.plot:
        plot(found, options.plot)
    if options.write:
        pages.put(counts.BOARD_PAGE, COMMAND, text(found, counted))
        pages.put(README, COMMAND, in_short(found, counted))
    print(json.dumps([_as_dict(row) for row in found], indent=2) if options.json else text(found, counted))
    return 0


def _as_dict(row: Row) -> dict[str, object]:
    times = {
        when: {"seconds_an_image": time.an_image, "bound": time.bound, "busy": time.busy, "stages": time.stages}
        for when, time in ((WORST, row.worst), (USUAL, row.usual), (BEST, row.best))
    }
    return {"machine": row.machine, "way": row.way, **vars(row.batch), "kind": "modelled", **times}


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
