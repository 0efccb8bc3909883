"""The remainder in C++, compiled when the package is installed on a machine with a compiler.

``native_kernels.h`` holds the layers, ``native_engine.h`` the order in which they run and the entropy, ``native.cpp``
the binding; :mod:`pynq_ee.remainder.packing` lays the weights out for them. Beyond the other engines, the first stage
also takes the features as the circuit returns them, packed; and :func:`decider` computes labels, entropies and the
threshold's verdict in one pass.

The hidden state is position-major here: it belongs to this engine's next stage, and to no other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError
from pynq_ee.network import spec
from pynq_ee.network.weights import Model
from pynq_ee.remainder import Decision, _native
from pynq_ee.remainder.packing import Layer, packed_layers, results

FloatArray = npt.NDArray[np.float32]

#: Instruction sets of this machine that the engine has code for, the best one first.
INSTRUCTION_SETS: tuple[str, ...] = _native.INSTRUCTION_SETS

#: Largest difference of an entropy from :func:`pynq_ee.exits.entropy`, nats: double precision in another order.
ENTROPY_TOLERANCE = 1e-12


def stages(model: Model, instruction_set: str = INSTRUCTION_SETS[0]) -> list[Callable[[Any], tuple[Any, FloatArray]]]:
    """One function for each software exit; see :mod:`pynq_ee.remainder`.

    The first takes uint8 features (n, 6, 14, 14), or (n, 588) packed as the circuit returns them. Each raises
    :class:`~pynq_ee.errors.InputError` on an array of another type or shape.
    """
    chosen = INSTRUCTION_SETS.index(instruction_set)
    return [
        _stage(_native.build(tuple(layers), body, chosen), body, layers, model) for layers, body in packed_layers(model)
    ]


def decider(scale: float | None = None) -> Callable[[npt.NDArray, float], Decision]:
    """Entropy, label and verdict of a batch of logits in one pass: ``decide(logits, threshold)``.

    Parameters
    ----------
    scale
        The real number that the integer logit 1 stands for, more than 0: the function takes int16 logits (n, classes),
        whose rows may stand apart as in the circuit's records. None: it takes float32 logits.

    Returns
    -------
    A function that gives a :class:`Decision`. Its entropies are within :data:`ENTROPY_TOLERANCE` of
    :func:`pynq_ee.exits.entropy`, its labels and verdicts are those of ``argmax`` and :func:`pynq_ee.exits.leaves`.
    It raises :class:`~pynq_ee.errors.InputError` on logits of another type or shape, NaN or infinite.
    """
    if scale is None:
        return partial(_decide, None, np.dtype(np.float32))
    try:
        return partial(_decide, _native.exponential_table(scale), np.dtype(np.int16))
    except ValueError as error:
        raise InputError(f"scale is {scale}; it must be positive and finite") from error


def _stage(program: Any, body: int, layers: list[Layer], model: Model) -> Callable[[Any], tuple[Any, Any]]:
    width = results(layers[body - 1]) if body else 0
    if body:
        shape = ", ".join(map(str, model.spec.feature_shape))
        expected = f"uint8 (n, {shape}) or (n, {model.spec.feature_bytes}) packed"
    else:
        expected = f"float32 (n, {layers[0].weight.shape[0]}), the hidden state of the stage before"
    classes = spec.CLASSES
    empty, float32, execute = np.empty, np.float32, _native.run

    def run(inputs: Any) -> tuple[Any, FloatArray]:
        inputs = np.ascontiguousarray(inputs)
        count = len(inputs)
        hidden = empty((count, width), float32) if body else inputs
        logits = empty((count, classes), float32)
        try:
            execute(program, inputs, hidden, logits)
        except ValueError as error:
            found = f"{inputs.dtype} {inputs.shape}"
            raise InputError(f"the remainder's inputs are {found}; they must be {expected}") from error
        return hidden, logits

    return run


def _decide(table: Any, dtype: np.dtype, logits: npt.NDArray, threshold: float) -> Decision:
    logits = np.asarray(logits)
    count = len(logits) if logits.ndim else 0
    decision = Decision(np.empty(count, np.int64), np.empty(count), np.empty(count, np.bool_))
    try:
        finite = _native.decide(table, logits, threshold, decision.entropy, decision.labels, decision.leaves)
    except ValueError as error:
        raise InputError(f"logits are {logits.dtype} {logits.shape}; they must be {dtype} (n, classes)") from error
    if not finite:
        raise InputError("a logit is NaN or infinite; entropy needs finite logits")
    return decision
