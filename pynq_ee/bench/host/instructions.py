"""Instructions that the native engine executes on the processor of a PYNQ-Z1 or Z2, *counted* under an emulator.

The engine is compiled for ARMv7 with the flags of the installation, and ``qemu-arm`` tells every block that it executes
and the instructions in it. The count is exact and repeats itself, and depends on the compiler alone: no kernel branches
on a value. What a call costs by itself is in it, Python is not.

It needs a checkout, Debian's ``g++-arm-linux-gnueabihf`` and ``qemu-user``.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pynq_ee.bench import pages
from pynq_ee.bench.host import stored
from pynq_ee.errors import ToolError
from pynq_ee.exits import rule
from pynq_ee.files import check_way_out
from pynq_ee.network import spec, weights
from pynq_ee.network.weights import Model

COMMAND = "python -m pynq_ee.bench.host.instructions"

COMPILER, EMULATOR, PROCESSOR = "arm-linux-gnueabihf-g++", "qemu-arm", "cortex-a9"

_ROOT = Path(__file__).parents[3]
_PROGRAM = Path(__file__).with_name("counted") / "counted.cpp"


class Task(NamedTuple):
    """What is counted: ``images`` in one call, at most ``bar`` instructions an image."""

    images: int
    bar: int


#: 14 images are the 1.4 % that stay of a batch of 1024.
TASKS = {"first-exit": Task(16, 90_000), "remainder": Task(14, 75_000), "decision": Task(1024, 140)}

#: What an instruction does, by its name: the first pattern that matches.
KINDS = {
    "multiply": r"vq?r?d?m(ul|la|ls)",
    "vector memory": r"v(ld|st|push|pop)",
    "vector, other": r"v",
    "memory": r"(ldr|str|ldm|stm|push|pop)",
    "branch": r"(b|bl|bx|blx|cbz|cbnz|b(l|x)?(eq|ne|hs|lo|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le))(\.w)?$",
    "other": r"",
}

_EXAMPLES = f"""\
examples:
  {COMMAND}                         the table
  {COMMAND} --write docs/board.md   and into the documentation"""


@dataclass(frozen=True)
class Count:
    """Instructions of one task.

    Attributes
    ----------
    images
        In the one call.
    functions
        For each function that was executed, in which other ones may be inlined, the instructions of each kind.
    """

    task: str
    images: int
    functions: Mapping[str, Mapping[str, int]]

    @property
    def an_image(self) -> float:
        """Instructions an image, all in."""
        return sum(sum(kinds.values()) for kinds in self.functions.values()) / self.images


def count(model: Model, tasks: Mapping[str, Task] = TASKS) -> list[Count]:
    """Compile the engine and count each task on a model.

    Raises
    ------
    ToolError
        No compiler, no emulator, no checkout, or one of them failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        program, data = Path(folder) / "counted", Path(folder) / "data"
        include = [f"-I{_ROOT / 'pynq_ee' / 'remainder'}"]
        _run(
            [
                _needed(COMPILER, "g++-arm-linux-gnueabihf"),
                *flags(arm=True),
                "-static",
                *include,
                _PROGRAM,
                "-o",
                program,
            ]
        )
        most = max(task.images for task in tasks.values())
        data.write_bytes(b"".join(_data(model, most)))
        return [
            Count(name, task.images, _marginal(program, data, name, task.images, Path(folder)))
            for name, task in tasks.items()
        ]


def flags(arm: bool) -> list[str]:
    """The flags of setup.py for the native engine, on a 32-bit ARM or elsewhere."""
    try:
        lines = (_ROOT / "setup.py").read_text()
    except OSError as error:
        raise ToolError(f"{_ROOT} is no checkout of pynq_ee ({error}); run this in one") from error
    found = {
        target.id: node.value
        for node in ast.parse(lines).body
        if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name)
    }
    names = ["NATIVE_FLAGS", *(["NEON_FLAGS"] if arm else [])]
    return [flag for name in names for flag in ast.literal_eval(found[name])]


def compiler_version() -> str:
    """What the compiler calls itself."""
    return _run([_needed(COMPILER, "g++-arm-linux-gnueabihf"), "--version"]).splitlines()[0]


def kind(mnemonic: str) -> str:
    """Which of ``KINDS`` an instruction is of."""
    return next(name for name, pattern in KINDS.items() if re.match(pattern, mnemonic))


def table(counts: Sequence[Count]) -> str:
    """The counts as a Markdown table: a row for each task, and one for each function with 1 % of it or more."""
    lines = [
        "| task | function | " + " | ".join(KINDS) + " | instructions an image | bar |",
        "| --- | --- | " + " | ".join(["---:"] * (len(KINDS) + 2)) + " |",
    ]
    for found in counts:
        every: Counter[str] = Counter()
        for kinds in found.functions.values():
            every.update(kinds)
        bar = f"{TASKS[found.task].bar:,}" if found.task in TASKS else ""
        lines.append(_row(f"{found.task}, {found.images} images at once", "**all**", every, found.images, bar))
        for function, kinds in sorted(found.functions.items(), key=lambda pair: -sum(pair[1].values())):
            if sum(kinds.values()) >= 0.01 * sum(every.values()):
                lines.append(_row("", f"`{function}`", kinds, found.images, ""))
    return "\n".join(lines)


def _row(task: str, function: str, kinds: Mapping[str, int], images: int, bar: str) -> str:
    figures = [kinds.get(name, 0) / images for name in KINDS]
    figures.append(sum(figures))
    return f"| {task} | {function} | " + " | ".join(f"{figure:,.0f}" for figure in figures) + f" | {bar} |"


def _data(model: Model, images: int) -> Iterator[bytes]:
    random = np.random.default_rng(0).integers(0, 256, (images, spec.IMAGE_SIDE, spec.IMAGE_SIDE)).astype(np.uint8)
    yield stored.integers(images, spec.CLASSES)
    yield from stored.network(model, random)
    tables = rule.exponentials(), rule.logarithms()
    yield stored.integers(model.logit_exponents[0], *map(len, tables))
    yield b"".join(entries.astype("<u4").tobytes() for entries in tables)


def _marginal(program: Path, data: Path, task: str, images: int, folder: Path) -> dict[str, dict[str, int]]:
    """Instructions of the task, by function and kind: those of the program with it less those without."""
    whole = _executed(program, data, task, images, folder)
    whole.subtract(_executed(program, data, task, 0, folder))
    functions: dict[str, dict[str, int]] = {}
    for (function, kind_of), number in whole.items():
        if number:
            functions.setdefault(function, {})[kind_of] = number
    return functions


def _executed(program: Path, data: Path, task: str, images: int, folder: Path) -> Counter[tuple[str, str]]:
    log = folder / "log"
    emulator = _needed(EMULATOR, "qemu-user")
    _run([emulator, "-cpu", PROCESSOR, "-d", "in_asm,exec,nochain", "-D", log, program, data, task, str(images)])
    executed: Counter[int] = Counter()
    blocks: list[Counter[tuple[str, str]]] = []
    newest: dict[str, int] = {}  # address of a block to its place in `blocks`
    with log.open() as lines:
        for line in lines:
            if line.startswith("Trace "):
                executed[newest[line.split("/")[1]]] += 1
            elif line.startswith("IN: "):
                blocks.append(_block(line[4:].strip(), lines, newest, len(blocks)))
    whole: Counter[tuple[str, str]] = Counter()
    for place, times in executed.items():
        for what, number in blocks[place].items():
            whole[what] += times * number
    names = _demangled(sorted({function for function, _ in whole}))
    renamed: Counter[tuple[str, str]] = Counter()
    for (function, kind_of), number in whole.items():
        renamed[names[function], kind_of] += number
    return renamed


def _block(function: str, lines: Iterator[str], newest: dict[str, int], place: int) -> Counter[tuple[str, str]]:
    """The instructions of a block, which ends with an empty line: ``0x00010444:  2300       movs     r3, #0``."""
    found: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if not line.strip():
            return found
        match = re.match(r"0x([0-9a-f]{8}):  (?:[0-9a-f]{4} ?){1,2}(?:[0-9a-f]{4})? +([a-z][\w.]*)", line)
        if not match:
            raise ToolError(f"{EMULATOR} says {line.strip()!r}; it must be one that disassembles, as Debian's does")
        if not found:
            newest[match[1]] = place
        found[function, kind(match[2])] += 1
    return found


def _demangled(functions: Sequence[str]) -> dict[str, str]:
    """Names without namespace of the project, parameters and template arguments of the standard library."""
    tool = _needed(COMPILER.replace("g++", "c++filt"), "binutils-arm-linux-gnueabihf")
    lines = _run([tool, "-p", *(functions or ["_"])]).splitlines()
    return dict(zip(functions, (line.replace("pynq_ee::", "").removeprefix("void ") for line in lines)))


def _needed(tool: str, package: str) -> str:
    found = shutil.which(tool)
    if found is None:
        raise ToolError(f"{tool} is not installed; Debian's package {package} has it")
    return found


def _run(command: Sequence[str | Path]) -> str:
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise ToolError(f"{Path(command[0]).name} failed ({finished.returncode}): {finished.stderr.strip()}")
    return finished.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """Count and print; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description=(__doc__ or "").splitlines()[0],
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default=weights.DEFAULT, help="a shipped model's name, or a model file")
    parser.add_argument("--write", type=Path, help="put the table into this file, between its marks")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    if options.write:
        check_way_out(options.write)
    counts = count(weights.load(options.model))
    text = f"*Counted*, {compiler_version()}.\n\n{table(counts)}"
    if options.write:
        pages.put(options.write, COMMAND, text)
    rows = [{"task": found.task, "images": found.images, "functions": found.functions} for found in counts]
    print(json.dumps({"compiler": compiler_version(), "counts": rows}, indent=2) if options.json else text)
    missed = [found.task for found in counts if found.an_image > TASKS[found.task].bar]
    if missed:
        print(f"MISSED: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
