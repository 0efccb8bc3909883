"""The remainder in onnxruntime, for hosts that have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime

from pynq_ee.generate import onnx as graphs
from pynq_ee.network.weights import Model


def stages(model: Model, threads: int = 1) -> list[Callable[[Any], tuple[Any, Any]]]:
    """One function for each software exit; see :mod:`pynq_ee.remainder`.

    Parameters
    ----------
    threads
        Of one run. For the few images that reach the software, one is the fastest.
    """
    return [_stage(session(graphs.stage(model, number), threads)) for number in range(model.exits - 1)]


def session(graph: Any, threads: int) -> onnxruntime.InferenceSession:
    """An inference session of an ONNX graph on ``threads`` threads; 0 takes one a core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A network is several sessions, each with threads of its own; those that wait spinning would slow the others down.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _stage(run: onnxruntime.InferenceSession) -> Callable[[Any], tuple[Any, Any]]:
    names = [output.name for output in run.get_outputs()]

    def call(hidden: Any) -> tuple[np.ndarray, np.ndarray]:
        inputs = np.ascontiguousarray(hidden, np.float32)
        *changed, logits = run.run(names, {"hidden": inputs})
        return (changed[0] if changed else inputs), logits

    return call
