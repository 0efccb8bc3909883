"""What pynq_ee asks of a board: instructions of imports and of batches, *counted*, and memory, *measured*.

The checkout is installed in a board's root filesystem, and Python programs run there under an emulator that counts.
Python's own instructions are in it; hashes and addresses are fixed, and from run to run a count differs by less than
one in a thousand. Memory is the process's peak under the emulator, whose own share the first row shows.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from arm import emulation
from arm.board import Board
from arm.counter import Counter
from installations import NOT_COPIED, ROOT, build
from pynq_ee.bench import pages

COMMAND = "make arm-footprint"
#: What can be asked for, and the page that its table is in.
PAGES = {"programs": ROOT / "docs" / "board.md", "transfers": ROOT / "docs" / "reliability.md"}

IMAGES = 1000
_CLASSIFY = """
from pynq_ee import EarlyExitInference
from pynq_ee.data import datasets
with EarlyExitInference(device={device!r}) as network:
    network.classify(datasets.available().images[:{images}])
"""
_OPEN = "import pynq_ee; pynq_ee.EarlyExitInference(device='sim-numpy').close()"

#: What is measured, and the program that does it; where a simulation would be counted, only the memory is.
PROGRAMS = {
    "Python, and the emulator": ("pass", True),
    "`import numpy`": ("import numpy", True),
    "`import pynq`": ("import pynq", True),
    "`import pynq_ee`": ("import pynq_ee", True),
    "a simulated board opened and closed": (_OPEN, True),
    f"{IMAGES:,} images on it": (_CLASSIFY.format(device="sim-numpy", images=IMAGES), False),
    f"{IMAGES:,} images in software": (_CLASSIFY.format(device="software", images=IMAGES), True),
}

_PEAK = "\nprint(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"

_EXAMPLES = f"""\
examples:
  {COMMAND}                                            both tables
  {COMMAND} ARM_FLAGS=--write                          and into the documentation
  {COMMAND} ARM_FLAGS="--only transfers" ARCH=arm64"""


class Program(NamedTuple):
    """A program: its instructions (None where they are not counted) and its peak memory in bytes."""

    what: str
    instructions: int | None
    peak_bytes: int


class Batch(NamedTuple):
    """A batch of images, sent in some way: the host's instructions."""

    what: str
    images: int
    instructions: int


def programs(board: Board, counter: Counter) -> list[Program]:
    """Run the programs, once for the memory and once for the count."""
    rows = []
    for what, (text, counted) in tqdm(PROGRAMS.items(), "programs", disable=None):
        printed = board.run("python3", "-P", "-W", "ignore", "-c", text + _PEAK).stdout
        (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", printed)
        rows.append(Program(what, counter.program(text) if counted else None, int(kilobytes) * 1024))
    return rows


def programs_table(rows: Iterable[Program]) -> str:
    """The programs as a Markdown table."""
    lines = ["| program | million instructions | peak, MB |", "| --- | ---: | ---: |"]
    for row in rows:
        count = "" if row.instructions is None else f"{row.instructions / 1e6:,.0f}"
        lines.append(f"| {row.what} | {count} | {row.peak_bytes / 1e6:.0f} |")
    return "\n".join(lines)


def batches_table(rows: Iterable[Batch]) -> str:
    """The batches as a Markdown table."""
    lines = ["| images | host's work | instructions a batch | an image |", "| ---: | --- | ---: | ---: |"]
    lines += [
        f"| {row.images} | {row.what} | {row.instructions:,} | {row.instructions / row.images:,.0f} |" for row in rows
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure, print, and write; return 0."""
    parser = argparse.ArgumentParser(
        prog=COMMAND, description=__doc__, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--architecture", choices=emulation.ARCHITECTURES, default="armhf", help="Debian's name of it")
    parser.add_argument("--only", choices=PAGES, help="one of the two tables")
    parser.add_argument("--write", action="store_true", help="put the tables into the documentation, between the marks")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    args = parser.parse_args()
    asked = [args.only] if args.only else list(PAGES)
    architecture = emulation.ARCHITECTURES[args.architecture]
    of = f"an emulated {architecture.processor} (that of {architecture.boards})"
    record: dict[str, Any] = {"processor": architecture.processor}
    texts = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shutil.copytree(ROOT, folder / "copy", symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
        (folder / "board").mkdir()
        sdist = build(folder / "copy", folder / "dist").sdist
        board = Board(args.architecture, folder / "board", sdist, "/usr/bin:/bin")
        counter = Counter(board)
        if "programs" in asked:
            found = programs(board, counter)
            record["programs"] = [row._asdict() for row in found]
            texts["programs"] = (
                f"Instructions *counted*, memory *measured*, on {of}, Python {board.info['python']}, "
                f"pynq {board.info['pynq']}.\n\n{programs_table(found)}"
            )
        if "transfers" in asked:
            sent = [Batch(*row) for row in counter.transfers()]
            record["transfers"] = [row._asdict() for row in sent]
            texts["transfers"] = f"*Counted* on {of}.\n\n{batches_table(sent)}"
    for name in asked if args.write else ():
        pages.put(PAGES[name], COMMAND, texts[name])
    print(json.dumps(record, indent=2) if args.json else "\n\n".join(texts.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
