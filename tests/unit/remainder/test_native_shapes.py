"""The native engine on layers of any shape that its binding takes, not the shipped networks' alone: equal to NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pynq_ee.network import layers, quantize
from pynq_ee.network.weights import LayerWeights
from pynq_ee.remainder import packing

_native = pytest.importorskip(
    "pynq_ee.remainder._native", reason="the native engine needs a C++ compiler and Python's headers"
)

#: Largest span of a convolution's sums, and of two products, that the binding takes.
SPAN, PAIRS = (1 << 16) - 1, (1 << 15) - 1


class Shape(NamedTuple):
    """Of a convolution, as :class:`packing.Layer` has it."""

    kernel: int
    padding: int
    channels: int
    side: int
    outputs: int

    @property
    def half(self) -> int:
        return (self.side + 2 * self.padding - self.kernel + 1) // 2


@st.composite
def shapes(draw: st.DrawFn, channels: int | None = None, side: int | None = None, padded: bool = True) -> Shape:
    """Convolutions whose output has an even side; ``side`` and ``channels`` where the layer before sets them."""
    side = side or draw(st.integers(2, 20))
    padding = draw(st.integers(side == 1, 3)) if padded else 0
    wide = side + 2 * padding
    kernel = draw(st.sampled_from([size for size in range(1, 7) if size < wide and (wide - size) % 2]))
    return Shape(kernel, padding, channels or draw(st.integers(1, 16)), side, draw(st.integers(1, 16)))


def random_weights(random: np.random.Generator, outputs: int, taps: int, input_max: int, span: int) -> LayerWeights:
    largest = min(127, PAIRS // (2 * input_max), span // (taps * input_max))
    return LayerWeights(
        random.integers(-largest, largest + 1, (outputs, taps)).astype(np.int8),
        random.integers(-20_000, 20_000, outputs).astype(np.int32),
        random.integers(0, 12, outputs).astype(np.uint8),
    )


def convolution(
    random: np.random.Generator, shape: Shape, input_max: int, largest: int
) -> tuple[packing.Layer, LayerWeights]:
    """The layer as the engine takes it, and with its weight (out, in, kernel, kernel) as NumPy does."""
    flat = random_weights(random, shape.outputs, shape.kernel**2 * shape.channels, input_max, SPAN)
    weight = flat.weight.reshape(shape.outputs, shape.kernel, shape.kernel, shape.channels)
    layer = packing.Layer(*shape[:4], input_max, largest, np.ascontiguousarray(flat.weight.T), flat.bias, flat.shift)
    return layer, LayerWeights(np.ascontiguousarray(weight.transpose(0, 3, 1, 2)), flat.bias, flat.shift)


def connection(
    random: np.random.Generator, inputs: int, outputs: int, input_max: int, largest: int
) -> tuple[packing.Layer, LayerWeights]:
    weights = random_weights(random, outputs, inputs, input_max, 1 << 24)
    layer = packing.Layer(
        0, 0, 0, 0, input_max, largest, np.ascontiguousarray(weights.weight.T), weights.bias, weights.shift
    )
    return layer, weights


def position_major(maps: np.ndarray) -> np.ndarray:
    return maps.transpose(0, 2, 3, 1).reshape(len(maps), -1)


def through(weights: LayerWeights, inputs: np.ndarray, largest: int) -> np.ndarray:
    sums = layers.connect(inputs, weights)
    return quantize.to_activation(sums, weights.shift, largest) if largest else quantize.to_logit(sums, weights.shift)


@settings(max_examples=60, deadline=None)
@given(
    shapes(padded=False).filter(lambda shape: shape.side**2 * shape.channels % 2 == 0),
    st.lists(st.integers(1, 70), min_size=1, max_size=3),
    st.integers(1, 27),
    st.integers(0, 2**32 - 1),
    st.data(),
)
def test_a_stage_of_any_shape_equals_numpy_on_every_instruction_set(
    shape: Shape, widths: list[int], count: int, seed: int, data: st.DataObject
) -> None:
    random = np.random.default_rng(seed)
    body = data.draw(st.integers(0, len(widths) - 1))
    largest = data.draw(st.integers(1, 127))
    first, weights = convolution(random, shape, 15, largest)
    images = random.integers(0, 16, (count, shape.channels, shape.side, shape.side)).astype(np.uint8)
    hidden = position_major(layers.convolve(images, weights, 0, largest))
    state, connections = hidden, []
    for number, width in enumerate(widths):
        bound = 0 if number == len(widths) - 1 else 127
        layer, connected = connection(random, hidden.shape[1], width, 127, bound)
        connections.append(layer)
        hidden = through(connected, hidden, bound)
        state = hidden if number < body else state
    stage = packing.Stage(first, tuple(connections), body)
    channels = widths[body - 1] if body else shape.outputs
    stored = -(-channels // packing.PANEL) * packing.PANEL
    for chosen in range(len(_native.INSTRUCTION_SETS)):
        network = _native.build(None, (stage,), chosen)
        kept = np.empty((count, state.shape[1] // channels * stored), np.uint8)
        logits = np.empty((count, widths[-1]), np.int16)
        _native.run_stage(network, 0, images, kept, logits, 1)
        np.testing.assert_array_equal(logits, hidden, _native.INSTRUCTION_SETS[chosen])
        kept = kept.reshape(count, -1, stored)[:, :, :channels].reshape(count, state.shape[1])
        np.testing.assert_array_equal(kept, state, _native.INSTRUCTION_SETS[chosen])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 27), st.integers(1, 40), st.integers(0, 2**32 - 1), st.data())
def test_a_first_exit_of_any_shape_equals_numpy_on_every_instruction_set(
    count: int, classes: int, seed: int, data: st.DataObject
) -> None:
    random = np.random.default_rng(seed)
    trunk = data.draw(shapes(channels=1))
    branch = data.draw(shapes(channels=trunk.outputs, side=trunk.half), "branch")
    assume(trunk.half * trunk.outputs % 2 == 0)  # features are packed by two within a line
    one, trunk_weights = convolution(random, trunk, 255, 15)
    two, branch_weights = convolution(random, branch, 15, 15)
    three, last = connection(random, branch.half**2 * branch.outputs, classes, 15, 0)
    images = random.integers(0, 256, (count, trunk.side, trunk.side)).astype(np.uint8)
    features = layers.convolve(images[:, None], trunk_weights, trunk.padding, 15)
    maps = layers.convolve(features, branch_weights, branch.padding, 15)
    expected = through(last, position_major(maps), 0)
    nibbles = position_major(features)
    packed = nibbles[:, 0::2] | nibbles[:, 1::2] << 4
    for chosen in range(len(_native.INSTRUCTION_SETS)):
        network = _native.build((one, two, three), (), chosen)
        found, logits = np.empty_like(packed, order="C"), np.empty((count, classes), np.int16)
        _native.run_first_exit(network, images, found, logits, 1)
        np.testing.assert_array_equal(found, packed, _native.INSTRUCTION_SETS[chosen])
        np.testing.assert_array_equal(logits, expected, _native.INSTRUCTION_SETS[chosen])
