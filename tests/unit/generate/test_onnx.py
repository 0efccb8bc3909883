"""The exported ONNX graphs compute what NumPy computes: to the bit."""

from __future__ import annotations

import numpy as np
import pytest

import models
from pynq_ee import remainder
from pynq_ee.network import fabric, spec

needs_onnx = "needs onnx and onnxruntime: pip install 'pynq_ee[bench]'"
onnx = pytest.importorskip("onnx", reason=needs_onnx)
pytest.importorskip("onnxruntime", reason=needs_onnx)

from pynq_ee.generate import onnx as graphs  # noqa: E402
from pynq_ee.remainder.onnx import session  # noqa: E402


@pytest.mark.parametrize("chosen", models.SPECS[::5], ids=str)
def test_the_first_exit_is_exact_for_every_fabric(chosen: spec.Spec, noise: np.ndarray) -> None:
    model = models.random_model(3, chosen)
    features, logits = session(graphs.first_exit(model), 1).run(["features", "logits"], {"images": noise})
    expected_features, expected_logits = fabric.first_exit(noise, model)
    np.testing.assert_array_equal(features, expected_features)
    np.testing.assert_array_equal(logits, expected_logits)


@pytest.mark.parametrize("network", spec.NETWORKS)
def test_the_stages_and_the_plain_network_agree_with_numpy(network: str, noise: np.ndarray) -> None:
    model = models.random_model(4, network=network)
    hidden, _ = fabric.first_exit(noise, model)
    other = hidden.astype(np.float32)
    for number, stage in enumerate(remainder.stages("numpy", model)):
        hidden, expected = stage(hidden)
        outputs = session(graphs.stage(model, number), 1).run(None, {"hidden": other})
        other, logits = outputs if len(outputs) == 2 else (other, outputs[0])
        np.testing.assert_array_equal(logits, expected)
    (plain,) = session(graphs.plain(model), 1).run(None, {"images": noise})
    np.testing.assert_array_equal(plain, expected)


def test_the_graphs_say_their_inputs_and_outputs_and_take_any_number_of_images() -> None:
    graph = graphs.first_exit(models.random_model()).graph
    shapes = {
        value.name: [each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert shapes == {"images": ["n", 28, 28], "features": ["n", 6, 14, 14], "logits": ["n", 10]}


def test_the_graphs_are_self_contained_and_of_the_stated_opset() -> None:
    made = graphs.plain(models.random_model())
    assert [each.version for each in made.opset_import] == [graphs.OPSET]
    assert len(made.SerializeToString()) > 100_000
