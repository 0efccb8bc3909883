"""Instructions that the native engine executes on a board's processor, *counted* under an emulator.

The engine is compiled for the processor with the flags of the installation, and QEMU tells every block that it executes
and the instructions in it. The count is exact and repeats itself, and depends on the compiler alone: no kernel branches
on a value. What a call costs by itself is in it, Python is not.

It needs a checkout, a compiler for the processor (of a PYNQ-Z1 or Z2 Debian's ``g++-arm-linux-gnueabihf``) and
``qemu-user``.
"""

from __future__ import annotations

import ast
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
from pynq_ee.errors import ToolError, status
from pynq_ee.exits import softmax_entropy
from pynq_ee.network import spec, weights
from pynq_ee.network.weights import Model

COMMAND = "python -m pynq_ee.bench.host.instructions"


_ROOT = Path(__file__).parents[3]
_PROGRAM = Path(__file__).with_name("counted") / "counted.cpp"


class Task(NamedTuple):
    """What is counted: ``images`` in one call, at most ``bar`` instructions an image."""

    images: int
    bar: int


#: 14 images are the 1.4 % that stay of a batch of 1024.
TASKS = {
    "first-exit": Task(16, 90_000),
    "remainder": Task(14, 75_000),
    "decision": Task(1024, 140),
    "copy": Task(1024, 250),
}

#: What an instruction may do.
KINDS = ("multiply", "multiply, long", "vector memory", "vector, other", "memory", "branch", "other")


class Target(NamedTuple):
    """A processor that the engine is compiled for.

    Attributes
    ----------
    of
        Who has it, in words.
    compiler, package
        And Debian's package that has the compiler.
    emulator, processor
        QEMU, and its name of the processor.
    kinds
        Patterns of an instruction's text for each of ``KINDS`` but the last; the first that matches tells the kind.
        A ``multiply`` is of 128 bits of integers, of 256 where there are such; a long one widens its products.
    """

    of: str
    compiler: str
    package: str
    emulator: str
    processor: str
    kinds: tuple[str, ...]


#: Condition of an instruction of an ARM.
CONDITION = "(eq|ne|hs|lo|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)"

#: By the names that the option ``--target`` has for them.
TARGETS = {
    "armv7": Target(
        "a PYNQ-Z1 or Z2",
        "arm-linux-gnueabihf-g++",
        "g++-arm-linux-gnueabihf",
        "qemu-arm",
        "cortex-a9",
        (
            r"vq?r?d?m(ul|la|ls)h?\.",
            r"vq?r?d?m(ul|la|ls)",
            r"v(ld|st|push|pop)",
            r"v",
            r"(ldr|str|ldm|stm|push|pop)",
            rf"(b|bl|bx|blx|cbz|cbnz|b(l|x)?{CONDITION})(\.w)?( |$)",
        ),
    ),
    "arm64": Target(
        "a ZCU104 or KV260",
        "aarch64-linux-gnu-g++",
        "g++-aarch64-linux-gnu",
        "qemu-aarch64",
        "cortex-a53",
        (
            r"(mul|mla|mls) +v",
            r"[su]q?d?(mull|mlal|mlsl)2? +v",
            r"((ld|st)[1-4]r? |(ld|st)n?[ru]?[rp]? +[qds]\d)",
            r"\S+ +(v\d|[qdshb]\d|\w+, v\d)",
            r"(ld|st)",
            rf"(b|bl|br|blr|ret|cbn?z|tbn?z|b\.{CONDITION})( |$)",
        ),
    ),
    "x86-64": Target(
        "an x86 server, with AVX2",
        "g++",
        "g++",
        "qemu-x86_64",
        "max",
        (
            r"vpm(add|ul)",
            r"pm(add|ul)",
            r"v(mov|lddqu|pbroadcast).*\(",
            r"(v|p(?!ush|op)|mov(dq|ap|up|hl|lh))",
            r"(mov.*\(|push|pop)",
            r"(j|call|ret)",
        ),
    ),
}
PYNQ_Z2 = TARGETS["armv7"]

PYNQ_Z2 = TARGETS["armv7"]

_EXAMPLES = f"""\
examples:
  {COMMAND}                         the table
  {COMMAND} --write docs/board.md   and into the documentation
  {COMMAND} --target arm64          of a KV260"""


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


class Block(NamedTuple):
    """Instructions that follow each other, as the emulator disassembles them, and how often they were executed."""

    function: str
    instructions: tuple[str, ...]
    times: int


def count(model: Model, tasks: Mapping[str, Task] = TASKS, target: Target = PYNQ_Z2) -> list[Count]:
    """Compile the engine and count each task on a model.

    Raises
    ------
    ToolError
        No compiler, no emulator, no checkout, or one of them failed.
    """
    return counted(blocks(model, tasks, target), tasks, target)


def counted(
    executed: Mapping[str, Sequence[Block]], tasks: Mapping[str, Task] = TASKS, target: Target = PYNQ_Z2
) -> list[Count]:
    """What :func:`blocks` found, by function and kind."""
    found = []
    for name, those in executed.items():
        functions: dict[str, Counter[str]] = {}
        for block in those:
            kinds = functions.setdefault(block.function, Counter())
            for text in block.instructions:
                kinds[kind(text, target)] += block.times
        names = _demangled(list(functions), target)
        found.append(Count(name, tasks[name].images, {names[each]: kinds for each, kinds in functions.items()}))
    return found


def blocks(model: Model, tasks: Mapping[str, Task] = TASKS, target: Target = PYNQ_Z2) -> dict[str, list[Block]]:
    """Compile the engine and run each task on a model: the blocks that it executes.

    Raises
    ------
    ToolError
        As :func:`count`.
    """
    with tempfile.TemporaryDirectory() as folder:
        program, data = Path(folder) / "counted", Path(folder) / "data"
        compiler = _needed(target.compiler, target.package)
        options = [*flags(arm=target is PYNQ_Z2), "-static", f"-I{_ROOT / 'pynq_ee' / 'remainder'}"]
        _run([compiler, *options, _PROGRAM, "-o", program])
        data.write_bytes(b"".join(_data(model, max(task.images for task in tasks.values()))))
        return {
            name: _marginal(*(_executed(program, data, name, images, target) for images in (task.images, 0)))
            for name, task in tasks.items()
        }


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


def compiler_version(target: Target = PYNQ_Z2) -> str:
    """What the compiler calls itself."""
    return _run([_needed(target.compiler, target.package), "--version"]).splitlines()[0]


def kind(instruction: str, target: Target = PYNQ_Z2) -> str:
    """Which of ``KINDS`` an instruction is of, by its text: ``vmla.i16 q8, q4, d0[0]``."""
    found = (name for name, pattern in zip(KINDS, target.kinds) if re.match(pattern, instruction))
    return next(found, KINDS[-1])


def command(target: str) -> str:
    """The command that counts on a target: what the marks around its table say."""
    return COMMAND if TARGETS[target] is PYNQ_Z2 else f"{COMMAND} --target {target}"


def table(counts: Sequence[Count], bars: bool = True) -> str:
    """The counts as a Markdown table: a row for each task, and one for each function with 1 % of it or more.

    The ``bars`` are promised on a PYNQ-Z1 or Z2.
    """
    lines = [
        "| task | function | " + " | ".join(KINDS) + " | instructions an image | bar |",
        "| --- | --- | " + " | ".join(["---:"] * (len(KINDS) + 2)) + " |",
    ]
    for found in counts:
        every: Counter[str] = Counter()
        for kinds in found.functions.values():
            every.update(kinds)
        bar = f"{TASKS[found.task].bar:,}" if bars and found.task in TASKS else ""
        lines.append(_row(f"{found.task}, {found.images} images at once", "**all**", every, found.images, bar))
        for function, kinds in sorted(found.functions.items(), key=lambda pair: -sum(pair[1].values())):
            if sum(kinds.values()) >= 0.01 * sum(every.values()):
                lines.append(_row("", f"`{function}`", kinds, found.images, ""))
    return "\n".join(lines)


def _row(task: str, function: str, kinds: Mapping[str, int], images: int, bar: str) -> str:
    figures = [kinds.get(name, 0) / images for name in KINDS]
    figures.append(sum(figures))
    return f"| {task} | {function} | " + " | ".join(f"{round(figure):,}" for figure in figures) + f" | {bar} |"


def _data(model: Model, images: int) -> Iterator[bytes]:
    random = np.random.default_rng(0).integers(0, 256, (images, spec.IMAGE_SIDE, spec.IMAGE_SIDE)).astype(np.uint8)
    yield stored.integers(images, spec.CLASSES)
    yield from stored.network(model, random)
    tables = softmax_entropy.exponentials(), softmax_entropy.logarithms()
    yield stored.integers(model.logit_exponents[0], *map(len, tables))
    yield b"".join(entries.astype("<u4").tobytes() for entries in tables)


_Executed = dict[tuple[str, tuple[str, ...]], int]


def _marginal(whole: _Executed, without: _Executed) -> list[Block]:
    """The blocks of a program with a task less those without; what only the latter has is negative."""
    differences = {each: whole.get(each, 0) - without.get(each, 0) for each in {**whole, **without}}
    return [Block(*each, times) for each, times in differences.items() if times]


def _executed(program: Path, data: Path, task: str, images: int, target: Target) -> _Executed:
    """How often each block was executed; blocks of the same text in one function are one."""
    log = program.with_name("log")
    emulator = _needed(target.emulator, "qemu-user")
    _run([emulator, "-cpu", target.processor, "-d", "in_asm,exec,nochain", "-D", log, program, data, task, str(images)])
    executed: Counter[int] = Counter()
    found: list[tuple[str, tuple[str, ...]]] = []
    newest: dict[int, int] = {}  # address of a block to its place in `found`
    with log.open() as lines:
        for line in lines:
            if line.startswith("Trace "):
                executed[newest[int(line.split("/")[1], 16)]] += 1
            elif line.startswith("IN: "):
                address, instructions = _block(lines)
                newest[address] = len(found)
                found.append((line[4:].strip(), instructions))
    whole: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for place, times in executed.items():
        whole[found[place]] += times
    return dict(whole)


def _block(lines: Iterator[str]) -> tuple[int, tuple[str, ...]]:
    """Address and instructions of a block, lines like ``0x00010444:  2300       movs     r3, #0`` and an empty one."""
    address = 0
    found: list[str] = []
    for line in lines:
        if not line.strip():
            return address, tuple(found)
        match = re.match(r"0x([0-9a-f]+):  (?:[0-9a-f]+ )+ +([a-z].*)", line)
        if match:
            address = address if found else int(match[1], 16)
            found.append(" ".join(match[2].split()))
        elif not re.match(r"0x[0-9a-f]+:  (?:[0-9a-f]{2} ?)+$", line):  # of a long one of x86, the last bytes
            raise ToolError(f"the emulator says {line.strip()!r}; it must be one that disassembles, as Debian's does")
    return address, tuple(found)


def _demangled(functions: Sequence[str], target: Target) -> dict[str, str]:
    """Names without namespace of the project, parameters and template arguments of the standard library."""
    tool = _needed(target.compiler.replace("g++", "c++filt"), "binutils")
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
    parser = pages.parser(COMMAND, __doc__, _EXAMPLES)
    parser.add_argument("--model", default=weights.DEFAULT, help="a shipped model's name, or a model file")
    parser.add_argument("--target", choices=TARGETS, default="armv7", help="the processor; default armv7, a PYNQ-Z2's")
    options = pages.parsed(parser, arguments, lambda chosen: command(chosen.target))
    target = TARGETS[options.target]
    counts = count(weights.load(options.model), target=target)
    text = f"*Counted*, {compiler_version(target)}.\n\n{table(counts, bars=target is PYNQ_Z2)}"
    rows = [{"task": found.task, "images": found.images, "functions": found.functions} for found in counts]
    pages.publish(options, command(options.target), text, {"compiler": compiler_version(target), "counts": rows})
    missed = [found.task for found in counts if target is PYNQ_Z2 and found.an_image > TASKS[found.task].bar]
    if missed:
        print(f"MISSED: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
