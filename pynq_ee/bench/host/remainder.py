"""The network in software side by side: the engines of :mod:`pynq_ee.remainder`, ONNX Runtime, and SciPy's entropy.

``python -m pynq_ee.bench.host.remainder`` prints every figure of one run, and fails if the native engine misses a bar.
It starts itself again to hold every library to one thread. All contestants take turns within a round, so that a busy
machine slows all of them alike, and bars are held against the median of the rounds' ratios. Needs torch, onnx,
onnxruntime and scipy.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee import exits, remainder
from pynq_ee.bench import engines, programs
from pynq_ee.bench.arguments import whole
from pynq_ee.errors import ToolError, status
from pynq_ee.exits.softmax_entropy import ENTROPY_ERROR
from pynq_ee.network import fabric, spec, weights
from pynq_ee.network.weights import Model

COMMAND = "python -m pynq_ee.bench.host.remainder"

_EXAMPLES = f"""\
examples:
  {COMMAND}                        every figure, and 1 if a bar is missed
  {COMMAND} --batch 64 --rounds 5 --json"""

BATCHES = (1, 8, 64, 256, 1024)
ROUNDS = 31
#: Images that each contestant works through in one round, at least.
ROUND_IMAGES = 512
PACKED = "native, packed features"
UNPACKED = "native, after unpacking them"


@dataclass(frozen=True)
class Bar:
    """The native engine must be at least ``times`` as fast as ``than``, at this batch."""

    task: str
    batch: int
    than: str
    times: float


BARS = (
    Bar("remainder", 1, "onnx", 1),
    Bar("remainder", 1, "torch", 5),
    Bar("remainder", 64, "onnx", 1),
    Bar("remainder", 64, "torch", 1),
    Bar("first exit, avx2", 1, "onnx", 3),
    Bar("first exit, avx2", 256, "onnx", 1.8),
    Bar("first exit, avx512vnni", 1, "onnx", 8),
    Bar("first exit, avx512vnni", 256, "onnx", 5),
    *(Bar("decision", batch, "scipy", 10) for batch in BATCHES),
)


@dataclass(frozen=True)
class Timing:
    """Time of one contestant at one task, *measured*.

    Attributes
    ----------
    task, contestant, batch
        What was done, by whom, for how many images at once.
    median, minimum
        Seconds an image, over the rounds.
    times_native
        Median over the rounds of this contestant's time divided by the native engine's.
    """

    task: str
    contestant: str
    batch: int
    median: float
    minimum: float
    times_native: float


def interleaved(
    contestants: Mapping[str, Callable[[], Any]], calls: int, rounds: int = ROUNDS
) -> dict[str, npt.NDArray[np.float64]]:
    """Seconds of one call, (rounds,) for each contestant, who take turns; each round starts with another one."""
    names = list(contestants)
    seconds = {name: np.empty(rounds) for name in names}
    for function in contestants.values():
        function()
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            function = contestants[name]
            begin = time.perf_counter()
            for _ in range(calls):
                function()
            seconds[name][number] = (time.perf_counter() - begin) / calls
    return seconds


def compare_remainders(model: Model, batches: Sequence[int] = BATCHES, rounds: int = ROUNDS) -> list[Timing]:
    """Every software exit of a model, for a batch of random features, on one thread."""
    random = np.random.default_rng(0)
    stages_of = {name: remainder.stages(name, model) for name in ("native", "numpy", "torch", "onnx")}
    timings = []
    for batch in batches:
        features = random.integers(0, spec.ACTIVATION_MAX + 1, (batch, *model.spec.feature_shape)).astype(np.uint8)
        packed, floats = fabric.pack_features(features), features.astype(np.float32)  # ONNX takes floats: not counted
        contestants = {
            **{name: _through(stages, floats if name == "onnx" else features) for name, stages in stages_of.items()},
            PACKED: _through(stages_of["native"], packed),
            UNPACKED: _unpacking(stages_of["native"], packed, model),
        }
        expected = contestants["numpy"]()
        for name, contestant in contestants.items():
            if not np.array_equal(contestant(), expected):
                raise AssertionError(f"{name} disagrees with numpy: its time means nothing")
        timings += _timings("remainder", batch, interleaved(contestants, -(-ROUND_IMAGES // batch), rounds))
    return timings


def compare_first_exits(model: Model, batches: Sequence[int] = BATCHES, rounds: int = ROUNDS) -> list[Timing]:
    """The first exit on each instruction set of this machine beside onnxruntime, on random images and one thread."""
    from pynq_ee.remainder import native

    random = np.random.default_rng(0)
    onnx = engines.build("onnxruntime", model, 1, max(batches))
    timings = []
    for batch in batches:
        images = random.integers(0, 256, (batch, spec.IMAGE_SIDE, spec.IMAGE_SIDE)).astype(np.uint8)
        for instruction_set in native.INSTRUCTION_SETS:
            own = native.first_exit(model, instruction_set)
            contestants: dict[str, Callable[[], Any]] = {
                "native": lambda own=own, images=images: own(images),  # type: ignore[misc]
                "onnx": lambda images=images: onnx.first_exit(images),  # type: ignore[misc]
            }
            if not np.array_equal(contestants["native"]()[1], contestants["onnx"]()[1]):
                raise AssertionError(f"{instruction_set} disagrees with onnxruntime: its time means nothing")
            seconds = interleaved(contestants, -(-ROUND_IMAGES // batch), rounds)
            timings += _timings(f"first exit, {instruction_set}", batch, seconds)
    return timings


def compare_decisions(batches: Sequence[int] = BATCHES, rounds: int = ROUNDS) -> list[Timing]:
    """Entropy and threshold of a batch of logits. SciPy is given the softmax, uncounted, and has no threshold."""
    from pynq_ee.remainder.native import decider

    scipy_stats = importlib.import_module("scipy.stats")

    exponent, threshold = -6, 0.5
    decide = decider(exponent)
    random = np.random.default_rng(0)
    timings = []
    for batch in batches:
        logits = random.integers(-1000, 1000, (batch, spec.CLASSES)).astype(np.int16)
        reals = logits * np.float32(2.0**exponent)
        probabilities = exits.softmax(reals)
        contestants: dict[str, Callable[[], Any]] = {
            "native": lambda logits=logits: decide(logits, threshold),  # type: ignore[misc]
            "numpy": lambda reals=reals: exits.leaves(exits.entropy(reals), threshold),  # type: ignore[misc]
            "scipy": lambda probabilities=probabilities: scipy_stats.entropy(probabilities, axis=1),  # type: ignore[misc]
        }
        if not np.allclose(contestants["native"]().entropy, contestants["scipy"](), rtol=0, atol=ENTROPY_ERROR):
            raise AssertionError("native and scipy disagree on the entropy")
        timings += _timings("decision", batch, interleaved(contestants, -(-ROUND_IMAGES // batch), rounds))
    return timings


def missed(timings: Sequence[Timing], bars: Sequence[Bar] = BARS) -> list[str]:
    """One line for each bar that the native engine misses, of those whose batch was measured."""
    found = {(timing.task, timing.batch, timing.contestant): timing.times_native for timing in timings}
    return [
        f"{bar.task}, batch {bar.batch}: {found[key]:.2f} times as fast as {bar.than}; it must be {bar.times:g} times"
        for bar in bars
        if (key := (bar.task, bar.batch, bar.than)) in found and found[key] < bar.times
    ]


def table(timings: Sequence[Timing]) -> str:
    """The timings as a Markdown table."""
    lines = [
        "| task | batch | who | us an image, median | minimum | times native |",
        "| --- | ---: | --- | ---: | ---: | ---: |",
    ]
    for timing in timings:
        lines.append(
            f"| {timing.task} | {timing.batch} | {timing.contestant} | {timing.median * 1e6:.3f} "
            f"| {timing.minimum * 1e6:.3f} | {timing.times_native:.2f} |"
        )
    return "\n".join(lines)


def _through(stages: Sequence[remainder.Stage], inputs: Any) -> Callable[[], Any]:
    """All software exits, one after the other, for every image; the last one's logits."""

    def run() -> Any:
        hidden, logits = inputs, None
        for stage in stages:
            hidden, logits = stage(hidden)
        return logits

    return run


def _unpacking(stages: Sequence[remainder.Stage], packed: Any, model: Model) -> Callable[[], Any]:
    return lambda: _through(stages, fabric.unpack_features(packed, model))()


def _timings(task: str, batch: int, seconds: Mapping[str, npt.NDArray[np.float64]]) -> list[Timing]:
    native = seconds["native"]
    return [
        Timing(task, name, batch, float(np.median(of)) / batch, float(of.min()) / batch, float(np.median(of / native)))
        for name, of in seconds.items()
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 if a bar is missed."""
    parser = programs.parser(COMMAND, __doc__, _EXAMPLES)
    parser.add_argument("--model", default=weights.DEFAULT, help="a shipped model's name, or a model file")
    parser.add_argument("--batch", type=whole(), nargs="+", default=list(BATCHES), help="images at once")
    parser.add_argument("--rounds", type=whole(), default=ROUNDS, help="turns that each contestant takes")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    one_thread = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    if not one_thread.items() <= os.environ.items():  # the libraries read it when they are loaded, which they are
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **one_thread})
    try:
        timings = compare_remainders(weights.load(options.model), options.batch, options.rounds)
        timings += compare_first_exits(weights.load(options.model), options.batch, options.rounds)
        timings += compare_decisions(options.batch, options.rounds)
    except ImportError as error:
        raise ToolError(f"the comparison needs torch, onnx, onnxruntime and scipy ({error})") from error
    short = missed(timings)
    if options.json:
        print(json.dumps({"timings": [asdict(timing) for timing in timings], "missed": short}, indent=2))
    else:
        print(table(timings))
        print("\n".join(f"MISSED {line}" for line in short) or "every bar is held")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
