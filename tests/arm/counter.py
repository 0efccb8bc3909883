"""Instructions that a Python program executes on a board, counted by the emulator itself: see ``counter.c``."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path

from arm import emulation, transfers
from arm.board import HOME, Board

#: Where the counting emulator is seen in the root filesystem: with its libraries, of which a board has none.
_FOLDER = f"{HOME}/counter"

#: The number of the system call sched_get_priority_max, which is a mark.
MARKS = {"armhf": 159, "arm64": 125, "amd64": 146}

Marks = list[tuple[int, int]]


class Counter:
    """QEMU with the plugin, on a board.

    Parameters
    ----------
    board
        The board; compiler, emulator and its libraries are those of this machine.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        name = f"qemu-{emulation.ARCHITECTURES[board.architecture].emulator}"
        emulator, compiler = shutil.which(name), shutil.which("cc")
        if emulator is None or compiler is None:  # the static build, which runs all else, loads no plugins
            raise SystemExit(f"counting needs cc, and {name} that loads plugins: sudo apt install gcc qemu-user")
        folder = board.folder / Path(_FOLDER).name
        folder.mkdir()
        linked = subprocess.run(["ldd", emulator], capture_output=True, text=True, check=True).stdout
        for library in map(Path, re.findall(r"(/\S+) \(0x", linked)):
            shutil.copy(library, folder / ("loader" if library.name.startswith("ld-linux") else library.name))
        shutil.copy(emulator, folder / "emulator")
        compile_plugin(compiler, folder / "counter.so")

    def run(self, *words: str) -> tuple[str, str]:
        """What a Python program prints, and what the plugin says of it. Programs that it starts are not counted."""
        done = self._board.run(
            *(f"{_FOLDER}/loader", "--library-path", _FOLDER, f"{_FOLDER}/emulator", "-seed", "0", "-d", "plugin"),
            *("-plugin", f"{_FOLDER}/counter.so,mark={MARKS[self._board.architecture]}"),
            *(f"{HOME}/venv/bin/python3", "-P", "-W", "ignore", *words),
            PYTHONHASHSEED="0",
        )
        return done.stdout, done.stderr

    def program(self, text: str) -> int:
        """Instructions of a whole program."""
        (executed,) = re.findall(r"executed instructions: (\d+)", self.run("-c", text)[1])
        return int(executed)

    def transfers(self) -> list[tuple[str, int, int]]:
        """Name, images and instructions of each batch that ``transfers.py`` sends."""
        return batches(*self.run(f"{HOME}/checkout/tests/arm/transfers.py"))


def compile_plugin(compiler: str, plugin: Path) -> None:
    """The plugin, for the emulators of this machine."""
    source = Path(__file__).with_suffix(".c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(plugin), str(source)], check=True)


def batches(printed: str, said: str) -> list[tuple[str, int, int]]:
    """Name, images and instructions of each batch, from what ``transfers.py`` prints and what the plugin says of it."""
    first, *groups = _groups([(int(kind), int(count)) for kind, count in re.findall(r"mark (\d+): (\d+)", said)])
    cost = groups.pop(0)[0][1] - first[0][1]
    names = [line.split(" ", 1) for line in printed.splitlines()]
    return [(name, int(batch), typical(group, cost)) for (batch, name), group in zip(names, groups, strict=True)]


def _groups(marks: Marks) -> list[Marks]:
    """The marks, divided before each that says that something else is counted."""
    groups: list[Marks] = []
    for kind, count in marks:
        if kind == transfers.NEXT:
            groups.append([])
        groups[-1].append((kind, count))
    return groups


def typical(marks: Sequence[tuple[int, int]], cost: int) -> int:
    """Instructions of a batch: the median of all but the first, which is not typical.

    Parameters
    ----------
    marks
        What each mark says, and the count at it. A batch is what lies between two ``DONE``, without what lies between
        two ``PLACING``.
    cost
        Instructions from a mark to another with nothing between them.
    """
    spent: list[int] = []
    since: int | None = None
    placed: list[int] = []
    for kind, count in marks:
        if kind == transfers.PLACING:
            placed.append(count)
        elif kind == transfers.DONE:
            if since is not None:
                away = sum(end - begin for begin, end in zip(placed[::2], placed[1::2], strict=True))
                spent.append(count - since - away - cost * (1 + len(placed) // 2))
            since, placed = count, []
    return round(statistics.median(spent[1:]))
