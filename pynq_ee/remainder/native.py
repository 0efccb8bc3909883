"""The whole network in C++, compiled when the package is installed on a machine with a compiler.

``kernels/`` has one file of code for each instruction set and the table that chooses, ``engine.h`` the order in which
layers run, ``decision.h`` entropy and verdict, ``native.cpp`` the binding; :mod:`pynq_ee.remainder.packing` puts the
model's integers in the engine's order. Beyond the other engines, the first stage also takes the features as the circuit
returns them, packed; :func:`first_exit` computes what the circuit does; :func:`decider` computes labels, entropies
and the threshold's verdict in one pass; and :class:`Workers` compute a stage beside their caller, in ``beside.h``.

The hidden state is position-major here: it belongs to this engine's next stage, and to no other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError, whole_number
from pynq_ee.exits import softmax_entropy
from pynq_ee.network import spec
from pynq_ee.network.weights import Model
from pynq_ee.remainder import MOST_THREADS, Decision, _native, packing

Logits = npt.NDArray[np.int16]

#: Instruction sets of this machine that the engine has code for, the best one first.
INSTRUCTION_SETS: tuple[str, ...] = _native.INSTRUCTION_SETS


def first_exit(
    model: Model, instruction_set: str = INSTRUCTION_SETS[0], threads: int = 1
) -> Callable[[Any], tuple[npt.NDArray[np.uint8], Logits]]:
    """What the circuit computes: images uint8 (n, 28, 28) to features (n, 588), packed, and logits int16 (n, 10).

    Parameters
    ----------
    threads
        That share a batch, 1 to :data:`~pynq_ee.remainder.MOST_THREADS`. The interpreter's lock is released meanwhile.

    Returns
    -------
    A function that raises :class:`~pynq_ee.errors.InputError` on an array of another type or shape.
    """
    network = _native.build(packing.first_exit(model), (), INSTRUCTION_SETS.index(instruction_set))
    threads = whole_number("threads", threads, least=1, most=MOST_THREADS)
    width, classes, side = model.spec.feature_bytes, spec.CLASSES, spec.IMAGE_SIDE
    empty, execute = np.empty, _native.run_first_exit

    def run(images: Any) -> tuple[npt.NDArray[np.uint8], Logits]:
        images = np.ascontiguousarray(images)
        count = len(images)
        features, logits = empty((count, width), np.uint8), empty((count, classes), np.int16)
        try:
            execute(network, images, features, logits, threads)
        except ValueError as error:
            found = f"{images.dtype} {images.shape}"
            raise InputError(f"the images are {found}; they must be uint8 (n, {side}, {side})") from error
        return features, logits

    return run


def stages(model: Model, instruction_set: str = INSTRUCTION_SETS[0], threads: int = 1) -> list[Stage]:
    """One function for each software exit; see :mod:`pynq_ee.remainder`.

    The first takes uint8 features (n, 6, 14, 14), or (n, 588) packed as the circuit returns them. Each raises
    :class:`~pynq_ee.errors.InputError` on an array of another type or shape.

    Parameters
    ----------
    threads
        That share a batch, 1 to :data:`~pynq_ee.remainder.MOST_THREADS`. The interpreter's lock is released meanwhile.
    """
    threads = whole_number("threads", threads, least=1, most=MOST_THREADS)
    built = packing.stages(model)
    network = _native.build(None, built, INSTRUCTION_SETS.index(instruction_set))
    sizes = packing.hidden_sizes(model)
    shape = ", ".join(map(str, model.spec.feature_shape))
    wanted = [f"uint8 (n, {shape}) or (n, {model.spec.feature_bytes}) packed"]
    wanted += [f"uint8 (n, {size}), the hidden state of the stage before" for size in sizes]
    changes = [stage.convolution is not None or stage.body > 0 for stage in built]
    return [
        Stage(network, number, size if change else None, expected, threads)
        for number, (size, change, expected) in enumerate(zip(sizes, changes, wanted))
    ]


class Workers:
    """Threads that compute stages beside their caller, started when they are first needed. They need no interpreter.

    Parameters
    ----------
    threads
        1 to :data:`~pynq_ee.remainder.MOST_THREADS`.
    """

    def __init__(self, threads: int = 1) -> None:
        self.native = _native.workers(whole_number("threads", threads, least=1, most=MOST_THREADS))

    def close(self) -> None:
        """Wait for what has been handed over, and end the threads. May be called twice; does nothing in a fork."""
        _native.end(self.native)


class Stage:
    """A software exit: called with inputs, it returns the hidden state for the next one, and its logits.

    ``width``: bytes of the hidden state that the stage leaves; None where it leaves the one that it is given.
    """

    def __init__(self, network: Any, number: int, width: int | None, expected: str, threads: int) -> None:
        self._network, self._number, self._width = network, number, width
        self._expected, self._threads = expected, threads

    def __call__(self, inputs: Any) -> tuple[Any, Logits]:
        inputs, hidden, logits = self._arrays(inputs)
        try:
            _native.run_stage(self._network, self._number, inputs, hidden, logits, self._threads)
        except ValueError as error:
            raise self._refusal(inputs) from error
        return hidden, logits

    def hand_over(self, workers: Workers, inputs: Any) -> Callable[[], tuple[Any, Logits, float, float]]:
        """Let workers compute it, from now on.

        Returns
        -------
        A function that helps them until it is done, and gives hidden state and logits, and when it was begun and done,
        seconds of ``time.perf_counter``. In a fork, where the workers are not, it computes all by itself.
        """
        inputs, hidden, logits = self._arrays(inputs)
        try:
            handed = _native.hand_over(workers.native, self._network, self._number, inputs, hidden, logits)
        except ValueError as error:
            raise self._refusal(inputs) from error
        return lambda: (hidden, logits, *_native.finish(handed))

    def _arrays(self, inputs: Any) -> tuple[Any, Any, Logits]:
        inputs = np.ascontiguousarray(inputs)
        count, width = len(inputs), self._width
        hidden = inputs if width is None else np.empty((count, width), np.uint8)
        return inputs, hidden, np.empty((count, spec.CLASSES), np.int16)

    def _refusal(self, inputs: Any) -> InputError:
        return InputError(f"the remainder's inputs are {inputs.dtype} {inputs.shape}; they must be {self._expected}")


def decider(exponent: int) -> Callable[[npt.NDArray, float], Decision]:
    """Entropy, label and verdict of a batch of logits in one pass: ``decide(logits, threshold)``.

    Parameters
    ----------
    exponent
        The integer logit 1 stands for ``2**exponent``, -32 to 32.

    Returns
    -------
    A function of int16 logits (n, classes), whose rows may stand apart as in the circuit's records. It gives a
    :class:`Decision`, equal to what :mod:`pynq_ee.exits` defines, and raises
    :class:`~pynq_ee.errors.InputError` on logits of another type or shape.
    """
    try:
        table = _native.decision_table(
            exponent, softmax_entropy.exponentials().astype(np.uint32), softmax_entropy.logarithms().astype(np.uint32)
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"exponent is {exponent!r}; it must be a whole number, -32 to 32") from error
    return partial(_decide, table)


def _decide(table: Any, logits: npt.NDArray, threshold: float) -> Decision:
    logits = np.asarray(logits)
    count = len(logits) if logits.ndim else 0
    decision = Decision(np.empty(count, np.int64), np.empty(count), np.empty(count, np.bool_))
    try:
        _native.decide(table, logits, threshold, decision.entropy, decision.labels, decision.leaves)
    except ValueError as error:
        raise InputError(f"logits are {logits.dtype} {logits.shape}; they must be int16 (n, classes)") from error
    return decision
