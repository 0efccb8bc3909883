"""The exported flatbuffers compute in LiteRT what NumPy computes: to the bit."""

from __future__ import annotations

import numpy as np
import pytest

import models
from pynq_ee import remainder
from pynq_ee.network import fabric, spec

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert: pip install 'pynq_ee[bench]'")

from pynq_ee.bench.engines.litert import runner
from pynq_ee.generate import tflite


@pytest.mark.parametrize("chosen", models.SPECS[::5], ids=str)
def test_the_first_exit_is_exact_for_every_fabric(chosen: spec.Spec, noise: np.ndarray) -> None:
    model = models.random_model(3, chosen)
    features, logits = runner(tflite.first_exit(model), 1)(noise[..., None])
    expected_features, expected_logits = fabric.first_exit(noise, model)
    np.testing.assert_array_equal(features.transpose(0, 3, 1, 2), expected_features)
    np.testing.assert_array_equal(logits, expected_logits)


@pytest.mark.parametrize("network", spec.NETWORKS)
def test_the_stages_and_the_plain_network_agree_with_numpy(network: str, noise: np.ndarray) -> None:
    model = models.random_model(4, network=network)
    hidden, _ = fabric.first_exit(noise, model)
    other = hidden.transpose(0, 2, 3, 1).astype(np.float32)
    for number, stage in enumerate(remainder.stages("numpy", model)):
        hidden, expected = stage(hidden)
        *changed, logits = runner(tflite.stage(model, number), 1)(other)
        other = changed[0] if changed else other
        np.testing.assert_array_equal(logits, expected)
    (plain,) = runner(tflite.plain(model), 1)(noise[..., None])
    np.testing.assert_array_equal(plain, expected)


def test_one_runner_takes_any_number_of_images_and_keeps_what_it_gave(noise: np.ndarray) -> None:
    model = models.random_model(5)
    run = runner(tflite.first_exit(model), 2)
    given = [run(noise[:count, ..., None])[1] for count in (3, 1, 3, len(noise))]
    expected = fabric.first_exit(noise, model)[1]
    for logits in given:
        np.testing.assert_array_equal(logits, expected[: len(logits)])
