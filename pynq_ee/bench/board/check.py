"""The model tried where something can be measured: with the constants of an x86 server, on one.

Instructions are counted under an emulator of such a machine, as a board's are; the model's prediction stands beside
what this machine takes. So structure and arithmetic are tried, and the way to count; a board's own constants are not.

It needs a checkout, an x86 machine with AVX2, Debian's ``g++`` and ``qemu-user``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee import remainder
from pynq_ee.bench import pages
from pynq_ee.bench.board import counts, machines, model
from pynq_ee.bench.board.counts import Counts
from pynq_ee.bench.board.machines import Machine
from pynq_ee.bench.board.model import BEST, USUAL, WORST, Batch
from pynq_ee.bench.host import driver, instructions
from pynq_ee.data import datasets
from pynq_ee.errors import ToolError, status
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network import weights
from pynq_ee.network.weights import Model

COMMAND = machines.CHECK

#: The kernels that the emulated machine has.
INSTRUCTION_SET = "avx2"

BATCHES = (1, 64, 1024)
SOFTWARE_BATCH = 256

#: Each is measured so often, in turns; the median counts.
ROUNDS = 15
#: Batches of a stream that is measured.
_STREAMED = 6

_ROOT = Path(__file__).parents[3]

_EXAMPLES = f"""\
examples:
  {COMMAND}
  {COMMAND} --write docs/board.md   and into the documentation"""

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """Microseconds an image, predicted and measured."""

    what: str
    usual: float
    best: float
    worst: float
    measured: float

    @property
    def inside(self) -> bool:
        """Whether what was measured is within what was predicted."""
        return self.best <= self.measured <= self.worst


def count_here(network: Model) -> Counts:
    """Instructions of native engine, streams and calls on an x86 machine, *counted* under an emulator of one.

    Raises
    ------
    ToolError
        A tool that is missing or fails.
    """
    target = instructions.TARGETS[machines.X86_SERVER.target]
    command = [sys.executable, "-m", "arm.here"]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT / "tests")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=_ROOT)
    if done.returncode:
        raise ToolError(f"{' '.join(command)} failed ({done.returncode}): {done.stderr.strip()}")
    rows = [(str(images), what, str(number)) for what, images, number in json.loads(done.stdout)]
    native = counts.native(instructions.count(network, target=target))
    return counts.assembled(rows, native, counts.read(machines.PYNQ_Z2.target).returned)


def compare(counted: Counts, network: Model, digits: Images) -> list[Row]:
    """A row for each thing that can be measured here.

    Parameters
    ----------
    counted
        On a machine like this one.
    digits
        uint8 (n, 28, 28), of which enough stay.
    """
    rows = []
    for what, seconds in measure(network, digits, counted.undecided).items():
        usual, best, worst = (predict(what, counted, machines.X86_SERVER, when) for when in (USUAL, BEST, WORST))
        rows.append(Row(what, 1e6 * usual, 1e6 * best, 1e6 * worst, 1e6 * seconds))
    return rows


def predict(what: str, counted: Counts, machine: Machine, when: str) -> float:
    """Seconds an image of one of the things that :func:`measure` measures."""
    name, _, images = what.rpartition(", ")
    batch = Batch(int(images.split()[0]))
    if name in _TASKS:
        return model.native_seconds(counted.native[_TASKS[name]], model.at(machine, when))
    if name == _SOFTWARE:
        return model.in_software(batch, counted, machine, when).an_image
    stages = model.host_stages(batch, counted, model.at(machine, when), machine.line_bytes)
    return sum(stages.values()) / batch.images - (stages["remainder"] if batch.images == 1 else 0.0)


_TASKS = {"first exit": "first-exit", "remainder of those that stay": "remainder", "decision": "decision"}
_SOFTWARE, _DRIVER = "all software", "host's work for the fabric"


def measure(network: Model, digits: Images, undecided: float) -> dict[str, float]:
    """Seconds an image of each thing, medians of rounds in which all take turns."""
    from pynq_ee.remainder import native

    if INSTRUCTION_SET not in native.INSTRUCTION_SETS:
        raise ToolError(f"this machine has {', '.join(native.INSTRUCTION_SETS)}; {INSTRUCTION_SET} is compared")
    first_exit = native.first_exit(network, INSTRUCTION_SET)
    stages = native.stages(network, INSTRUCTION_SET)
    decide = remainder.decider("native", network.logit_exponents[0])
    features, logits = first_exit(digits)
    stays = ~decide(logits, network.thresholds[0]).leaves
    chosen = {images: _mixed(stays, images, round(undecided * images)) for images in (*BATCHES, SOFTWARE_BATCH)}

    def whole(images: Images) -> None:
        """All in software."""
        hidden, first = first_exit(images)
        _through(stages, hidden[(~decide(first, network.thresholds[0]).leaves).nonzero()[0]])

    few = features[stays.nonzero()[0][: instructions.TASKS["remainder"].images]]
    calls: dict[str, tuple[int, Callable[[], Any]]] = {
        f"first exit, {SOFTWARE_BATCH} images": (SOFTWARE_BATCH, partial(first_exit, digits[:SOFTWARE_BATCH])),
        f"remainder of those that stay, {len(few)} images": (len(few), partial(_through, stages, few)),
        f"decision, {max(BATCHES)} images": (max(BATCHES), partial(decide, logits[: max(BATCHES)], 0.5)),
        f"{_SOFTWARE}, {SOFTWARE_BATCH} images": (SOFTWARE_BATCH, partial(whole, digits[chosen[SOFTWARE_BATCH]])),
    }
    samples: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for what, (images, call) in calls.items():
            samples.setdefault(what, []).append(_timed(call) / images)
        for images in BATCHES:
            samples.setdefault(f"{_DRIVER}, {images} images", []).append(_driver(network, digits[chosen[images]]))
    return {what: float(np.median(each)) for what, each in samples.items()}


def _mixed(stays: npt.NDArray[np.bool_], images: int, staying: int) -> npt.NDArray[np.intp]:
    """Rows of so many images, of which so many stay."""
    rows = [stays.nonzero()[0][:staying], (~stays).nonzero()[0][: images - staying]]
    if sum(map(len, rows)) < images:
        raise ToolError(f"of {len(stays)} images {stays.sum()} stay; {images} with {staying} that stay are needed")
    return np.sort(np.concatenate(rows))


def _through(stages: Sequence[remainder.Stage], hidden: Any) -> None:
    for stage in stages:
        hidden, _ = stage(hidden)


def _timed(call: Callable[[], Any]) -> float:
    """Seconds of the quicker of two calls: the first may find cold caches."""
    seconds = []
    for _ in range(2):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def _driver(network: Model, chunk: Images) -> float:
    """Seconds an image that the driver takes the host, on a board whose results are known beforehand."""
    from pynq_ee.sim.replay import ReplayDevice

    streamed = len(chunk) > 1
    with (
        ReplayDevice(network, chunk) as device,
        EarlyExitInference(network, device=device, images_per_transfer=len(chunk), threads=1) as opened,
    ):
        work = driver.host_work(opened, device, [chunk] * _STREAMED, streamed)
    return float(np.median(work.fill + work.between + work.decide)) / len(chunk)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| what | predicted, us an image | at best | at worst | measured | within |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    lines += [
        f"| {row.what} | {row.usual:.3f} | {row.best:.3f} | {row.worst:.3f} | {row.measured:.3f} "
        f"| {'yes' if row.inside else 'NO'} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, measure, compare and print; return 1 if something was measured that the model does not allow."""
    from pynq_ee.bench.machine import processor

    options = pages.parsed(pages.parser(COMMAND, __doc__, _EXAMPLES), arguments)
    network = weights.load(weights.DEFAULT)
    rows = compare(count_here(network), network, datasets.available().images)
    text = f"*Predicted* for an x86 server, *measured* on {processor()}.\n\n{table(rows)}"
    pages.publish(options, COMMAND, text, [asdict(row) for row in rows])
    outside = [row.what for row in rows if not row.inside]
    if outside:
        print(f"OUTSIDE THE RANGE: {'; '.join(outside)}", file=sys.stderr)
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
