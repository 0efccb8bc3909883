"""Cycles of the native engine by the model, and by LLVM's scheduling of the very blocks that were executed, beside it.

``llvm-mca`` is given each block as often as it was executed, as if nothing came between, with all data in the nearest
cache. Its model of a Cortex-A9 knows no second cycle for 128 bits and reorders vector instructions, which the core does
not: so it is a lower bound there. Of a Cortex-A53 it has no forwarding of sums, and is near the worst.

It needs what :mod:`pynq_ee.bench.host.instructions` needs, and Debian's ``llvm``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from pynq_ee.bench import pages
from pynq_ee.bench.board import counts, machines, model
from pynq_ee.bench.board.machines import Machine
from pynq_ee.bench.board.model import BEST, USUAL, WORST
from pynq_ee.bench.host import instructions
from pynq_ee.bench.host.instructions import TASKS, Block
from pynq_ee.errors import ToolError, status
from pynq_ee.network import weights
from pynq_ee.network.weights import Model

COMMAND = "python -m pynq_ee.bench.board.cycles"

#: What the analyzer is told of each target, and what begins a comment in its assembly.
OPTIONS = {
    "armv7": ("@", ("-mtriple=thumbv7-linux-gnueabihf", "-mcpu=cortex-a9", "-mattr=+neon")),
    "arm64": ("#", ("-mtriple=aarch64-linux-gnu", "-mcpu=cortex-a53")),
}

#: Blocks of which a thousandth of the instructions are in none are left out.
_LEAST_SHARE = 0.001
_ITERATIONS = 50

_EXAMPLES = f"""\
examples:
  {COMMAND}
  {COMMAND} --write docs/board.md   and into the documentation"""


class Row(NamedTuple):
    """Cycles an image of a task of the native engine: modelled, and scheduled by LLVM."""

    machine: str
    task: str
    best: float
    usual: float
    worst: float
    scheduled: float


def compare(machine: Machine, network: Model) -> list[Row]:
    """A row for each task.

    Raises
    ------
    ToolError
        A tool that is missing or fails.
    """
    target = instructions.TARGETS[machine.target]
    kernels = {name: task for name, task in TASKS.items() if name != "copy"}  # which memory bounds
    executed = instructions.blocks(network, kernels, target)
    kinds = counts.native(instructions.counted(executed, target=target))
    rows = []
    for task, found in executed.items():
        best, usual, worst = (
            model.native_cycles(kinds[task], model.at(machine, when)) for when in (BEST, USUAL, WORST)
        )
        by_llvm = scheduled(found, machine.target) / TASKS[task].images
        rows.append(Row(machine.name, task, best, usual, worst, by_llvm))
    return rows


def scheduled(blocks: Sequence[Block], target: str) -> float:
    """Cycles of all blocks, each as often as it was executed; those that are left out take as long as the others."""
    whole = sum(len(block.instructions) * block.times for block in blocks)
    chosen = [block for block in blocks if len(block.instructions) * block.times >= _LEAST_SHARE * whole]
    comment, options = OPTIONS[target]
    source = "".join(
        f"{comment} LLVM-MCA-BEGIN\n{_assembly(block.instructions)}\n{comment} LLVM-MCA-END\n" for block in chosen
    )
    command = ["llvm-mca", *options, f"-iterations={_ITERATIONS}"]
    try:
        done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ToolError("llvm-mca is not installed; Debian's package llvm has it") from error
    cycles = [int(each) / _ITERATIONS for each in re.findall(r"Total Cycles: +(\d+)", done.stdout)]
    if len(cycles) != len(chosen):
        raise ToolError(f"llvm-mca took {len(cycles)} of {len(chosen)} blocks: {done.stderr[:500]}")
    taken = sum(len(block.instructions) * block.times for block in chosen)
    return sum(each * block.times for each, block in zip(cycles, chosen)) * whole / taken


def _assembly(block: Sequence[str]) -> str:
    """The instructions as LLVM's analyzer reads them.

    Where a branch goes does not matter, but must be a name. It knows no ``it`` of Thumb: what that makes conditional is
    taken for unconditional.
    """
    lines, conditional = [], 0
    for text in block:
        if match := re.match(r"(it[te]{0,3}) \w+$", text):
            conditional = len(match[1]) - 1
            continue
        if conditional:
            text = re.sub(rf"^([a-z]+?){instructions.CONDITION}(?=[. ])", r"\1", text)
            conditional -= 1
        lines.append(re.sub(r"^((?:b|cb|tb)\S* (?:.*, )?)#0x[0-9a-f]+$", r"\1elsewhere", text))
    return "\n".join(lines)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| board | task | cycles an image, modelled | at best | at worst | by `llvm-mca` |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.machine} | {row.task} | {row.usual:,.0f} | {row.best:,.0f} | {row.worst:,.0f} | {row.scheduled:,.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print; return 1 if a task takes fewer cycles by the model at its worst than by LLVM."""
    parser = pages.parser(COMMAND, __doc__, _EXAMPLES)
    parser.add_argument("--model", default=weights.DEFAULT, help="a shipped model's name, or a model file")
    options = pages.parsed(parser, arguments)
    network = weights.load(options.model)
    rows = [row for machine in machines.BOARDS for row in compare(machine, network)]
    pages.publish(options, COMMAND, table(rows), [row._asdict() for row in rows])
    missed = [f"{row.machine} {row.task}" for row in rows if row.scheduled > row.worst]
    if missed:
        print(f"ABOVE THE RANGE: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
