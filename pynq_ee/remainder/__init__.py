"""The rest of the network in software, on one of several engines; and its first exit on some of them.

An engine turns a :class:`~pynq_ee.network.weights.Model` into one function for each software exit, in order. The first
function takes the trunk's features, uint8 (n, 6, 14, 14); every function returns the hidden state for the next one,
and this exit's logits, int16 (n, 10), in units of ``2**model.logit_exponents[exit]``::

    hidden, logits = stages[0](features)
    hidden, logits = stages[1](hidden[undecided])

Every engine equals ``numpy``, the definition, bit for bit.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee import exits
from pynq_ee.errors import InputError, ToolError, whole_number
from pynq_ee.network.weights import Model

Stage = Callable[[Any], tuple[Any, npt.NDArray[np.int16]]]


class Decision(NamedTuple):
    """What an exit makes of a batch: ``labels`` int64 (n,), ``entropy`` float64 (n,) in nats, ``leaves`` bool (n,)."""

    labels: npt.NDArray[np.int64]
    entropy: npt.NDArray[np.float64]
    leaves: npt.NDArray[np.bool_]


#: Logits int16 (n, classes) and a threshold in nats to a decision.
Decider = Callable[[Any, float], Decision]

#: Engines whose first stage also takes the features as the circuit returns them, uint8 (n, 588).
TAKES_PACKED = frozenset({"native"})


#: Images uint8 (n, 28, 28) to the first exit's features, uint8 (n, 588) packed, and its logits, int16 (n, 10).
FirstExit = Callable[[Any], tuple[npt.NDArray[np.uint8], npt.NDArray[np.int16]]]


class Engine(NamedTuple):
    """An engine: its module here, the packages that it imports, how to get them, and what it can do.

    ``threads``: it computes on as many as it is told. ``first_exit``: it has the first exit too. ``beside``: its stages
    can be handed over.
    """

    module: str
    packages: tuple[str, ...]
    needs: str
    threads: bool = False
    first_exit: bool = False
    beside: bool = False


#: Threads that may share a batch, on an engine that takes a number of them; native.cpp takes no more either.
MOST_THREADS = 1024

#: The engines, by the names that users give.
ENGINES: dict[str, Engine] = {
    "numpy": Engine("pynq_ee.remainder.numpy", (), "nothing", first_exit=True),
    "native": Engine(
        "pynq_ee.remainder.native",
        ("pynq_ee.remainder._native",),
        "a C++ compiler when pynq_ee is installed",
        threads=True,
        first_exit=True,
        beside=True,
    ),
    "torch": Engine("pynq_ee.remainder.torch", ("torch",), "PyTorch: pip install 'pynq_ee[train]'"),
    "onnx": Engine(
        "pynq_ee.remainder.onnx",
        ("onnxruntime", "onnx"),
        "onnxruntime and onnx: pip install 'pynq_ee[bench]'",
        threads=True,
    ),
}


def available() -> list[str]:
    """Names of the engines whose packages are installed; none of them is imported."""
    return [name for name, engine in ENGINES.items() if all(map(importlib.util.find_spec, engine.packages))]


def default() -> str:
    """The compiled engine where it was built at installation, NumPy elsewhere."""
    return "native" if "native" in available() else "numpy"


def stages(engine: str, model: Model, threads: int = 1) -> list[Stage]:
    """Build the software exits of a network on an engine.

    Parameters
    ----------
    threads
        That share a batch, 1 to :data:`MOST_THREADS`.

    Raises
    ------
    InputError
        No such engine, a number of threads that cannot be, or more than one of an engine that takes no number of them.
    ToolError
        An engine whose package is not installed.
    """
    implementation, options = _implementation(engine, threads)
    built: list[Stage] = implementation.stages(model, **options)
    return built


def first_exit(engine: str, model: Model, threads: int = 1) -> FirstExit:
    """Build the first exit of a network, as the circuit computes it, on an engine that has it.

    Parameters and errors are those of :func:`stages`; InputError too for an engine that has none.
    """
    implementation, options = _implementation(engine, threads)
    if not ENGINES[engine].first_exit:
        having = " and ".join(name for name, each in ENGINES.items() if each.first_exit)
        raise InputError(f"the {engine} engine computes no first exit; {having} do")
    built: FirstExit = implementation.first_exit(model, **options)
    return built


def _implementation(engine: str, threads: int) -> tuple[Any, dict[str, int]]:
    """The module of an engine, and the options that its functions take."""
    if engine not in ENGINES:
        raise InputError(f"remainder is {engine!r}; there are {', '.join(ENGINES)}")
    threads = whole_number("threads", threads, least=1, most=MOST_THREADS)
    if threads > 1 and not ENGINES[engine].threads:
        having = " and ".join(name for name, each in ENGINES.items() if each.threads)
        raise InputError(f"threads is {threads}; the {engine} engine takes no number of threads, {having} do")
    try:
        implementation = importlib.import_module(ENGINES[engine].module)
    except ImportError as error:
        raise ToolError(
            f"the {engine} remainder cannot be used here ({error}); it needs {ENGINES[engine].needs}"
        ) from error
    return implementation, {"threads": threads} if ENGINES[engine].threads else {}


def decider(engine: str, exponent: int) -> Decider:
    """Entropy, label and verdict of a batch of logits: the engine's own way, if it has one, else NumPy's.

    Parameters
    ----------
    exponent
        Each of the int16 logits stands for ``logit * 2**exponent``.
    """
    if engine == "native":
        from pynq_ee.remainder import native

        return native.decider(exponent)

    def decide(logits: Any, threshold: float) -> Decision:
        entropy = exits.entropy(logits * 2.0**exponent)
        return Decision(logits.argmax(1).astype(np.int64), entropy, exits.leaves(entropy, threshold))

    return decide
