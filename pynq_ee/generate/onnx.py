"""A model as ONNX graphs: the first exit, and the software behind it, for any runtime that reads ONNX.

The integers of the first exit are expressed in float32, exactly: weights and biases are divided by the layer's power
of two beforehand, the rounding half is in the bias, and what remains is a convolution, a floor and a clip. All sums
are multiples of one power of two and smaller than 2**24 of it, so no order of additions rounds.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import ModelFileError, ToolError
from pynq_ee.network import spec
from pynq_ee.network.spec import (
    ACTIVATION_MAX,
    CLASSES,
    IMAGE_SIDE,
    LOGIT_MAX,
    LOGIT_MIN,
    POOL,
    REMAINDER_LAYERS,
    FabricLayer,
)
from pynq_ee.network.weights import ACCUMULATOR_LIMIT, Model

OPSET = 17
#: The oldest format that holds the opset, so that old runtimes read the graphs.
IR_VERSION = 8

#: onnxruntime keeps channels in blocks of eight. A layer of six is widened by zeros, so that it stays in that layout
#: until it is pooled: a twelfth less time in all, and the same numbers.
_BLOCK = 8


class FoldedLayer(NamedTuple):
    """A layer of the first exit whose output is ``clip(floor(linear(x)))``, exact in float32."""

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]


def folded(model: Model, layer: FabricLayer) -> FoldedLayer:
    """Fold a layer's right shift and rounding half into its weights and bias.

    The classifier's inputs are put in channel-major order, as a framework flattens them.

    Raises
    ------
    ModelFileError
        An accumulator that together with the rounding half does not fit float32.
    """
    weights = model.fabric[layer.name]
    shift = weights.shift.astype(np.int64)
    half = (1 << shift) >> 1
    flat = weights.weight.reshape(len(weights.weight), -1).astype(np.int64)
    largest = (np.abs(flat).sum(1) * layer.input_max + np.abs(weights.bias.astype(np.int64)) + half).max()
    if largest >= ACCUMULATOR_LIMIT:
        raise ModelFileError(f"{layer.name} accumulates up to {largest}; below {ACCUMULATOR_LIMIT} float32 is exact")
    scale = 2.0 ** -shift.astype(np.float64)
    weight = weights.weight * scale.reshape(-1, *[1] * (weights.weight.ndim - 1))
    if layer.kernel == 1:
        side = model.spec.branch.side // POOL
        weight = weight.reshape(CLASSES, side, side, -1).transpose(0, 3, 1, 2).reshape(CLASSES, -1)
    # A shift of 0 has no half to add, and its accumulators are integers, so that the floor changes nothing.
    bias = (weights.bias + half) * scale
    return FoldedLayer(np.ascontiguousarray(weight, np.float32), np.ascontiguousarray(bias, np.float32))


def first_exit(model: Model) -> Any:
    """The first exit: ``images`` uint8 (n, 28, 28) to ``features`` float32 (n, 6, 14, 14) and ``logits`` (n, 10).

    Features hold the integers 0 to 15, logits are in their real scale.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ToolError
        The package onnx is not installed.
    """
    graph = _Graph()
    graph.images_to("pixels")
    graph.trunk(model)
    graph.branch(model)
    graph.take_channels("trunk", "features", model.spec.trunk.out_channels)
    graph.node("Flatten", ["branch"], "flat", axis=1)
    layer = folded(model, model.spec.classifier)
    graph.linear("flat", "accumulator", layer.weight, layer.bias)
    graph.node("Floor", ["accumulator"], "floor")
    graph.clip("floor", "integers", LOGIT_MIN, LOGIT_MAX)
    graph.scale("integers", "logits", 2.0**model.logit_exponent)
    return graph.finish(
        {"images": ("uint8", ("n", IMAGE_SIDE, IMAGE_SIDE))},
        {"features": ("float32", ("n", *model.spec.feature_shape)), "logits": ("float32", ("n", CLASSES))},
    )


def stage(model: Model, number: int) -> Any:
    """One software exit: ``hidden`` to ``next_hidden`` and ``logits``, all float32; see :mod:`pynq_ee.remainder`.

    Parameters
    ----------
    number
        Of the stage, from 0. The first one takes the trunk's features, the integers 0 to 15, as float32.
    """
    graph = _Graph()
    body_end = graph.stage_layers(model, number, "hidden", "next_hidden")
    graph.stage_head(model, number, body_end, "logits")
    shape = model.spec.feature_shape if number == 0 else (_hidden_size(model, number),)
    outputs = {"logits": ("float32", ("n", CLASSES))}
    if body_end != "hidden":
        outputs = {"next_hidden": ("float32", ("n", _hidden_size(model, number + 1))), **outputs}
    return graph.finish({"hidden": ("float32", ("n", *shape))}, outputs)


def plain(model: Model) -> Any:
    """The network without early exits: ``images`` uint8 (n, 28, 28) to ``logits`` of the last exit, float32 (n, 10)."""
    graph = _Graph()
    graph.images_to("pixels")
    graph.trunk(model)
    hidden = "trunk"
    for number in range(len(spec.NETWORKS[model.network])):
        hidden = graph.stage_layers(model, number, hidden, f"hidden{number}", widened=True)
    graph.stage_head(model, len(spec.NETWORKS[model.network]) - 1, hidden, "logits")
    return graph.finish({"images": ("uint8", ("n", IMAGE_SIDE, IMAGE_SIDE))}, {"logits": ("float32", ("n", CLASSES))})


def _hidden_size(model: Model, number: int) -> int:
    """Length of the hidden state before software stage ``number`` (not the first)."""
    stages = spec.NETWORKS[model.network]
    names = [*(stages[number].layers if number < len(stages) else ()), *stages[number - 1].head]
    return next(REMAINDER_LAYERS[name].inputs for name in names if not REMAINDER_LAYERS[name].kernel)


def _widened(array: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.float32]:
    """Zeros behind an axis, up to a whole number of blocks."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, -array.shape[axis] % _BLOCK)
    return np.pad(array, widths)


class _Graph:
    """Nodes and constants of a graph under construction."""

    def __init__(self) -> None:
        try:
            import onnx
        except ImportError as error:
            raise ToolError(f"the export needs onnx ({error}): pip install 'pynq_ee[bench]'") from error
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def constant(self, value: npt.ArrayLike) -> str:
        name = f"constant{len(self._constants)}"
        self._constants[name] = self._onnx.numpy_helper.from_array(np.asarray(value), name)
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, [output], **attributes))

    def linear(self, source: str, target: str, weight: npt.NDArray, bias: npt.NDArray) -> None:
        self.node("Gemm", [source, self.constant(weight), self.constant(bias)], target, transB=1)

    def clip(self, source: str, target: str, low: float, high: float) -> None:
        self.node("Clip", [source, self.constant(np.float32(low)), self.constant(np.float32(high))], target)

    def scale(self, source: str, target: str, factor: float) -> None:
        self.node("Mul", [source, self.constant(np.float32(factor))], target)

    def images_to(self, target: str) -> None:
        self.node("Cast", ["images"], "cast", to=self._onnx.TensorProto.FLOAT)
        self.node("Unsqueeze", ["cast", self.constant(np.array([1], np.int64))], target)

    def take_channels(self, source: str, target: str, count: int) -> None:
        bounds = [self.constant(np.array([value], np.int64)) for value in (0, count, 1)]
        self.node("Slice", [source, *bounds], target)

    def pool(self, source: str, target: str) -> None:
        self.node("MaxPool", [source], target, kernel_shape=[POOL, POOL], strides=[POOL, POOL])

    def trunk(self, model: Model) -> None:
        """From ``pixels`` to ``trunk``, whose channels are widened."""
        weights = folded(model, model.spec.trunk)
        self.fabric_convolution(model.spec.trunk, _widened(weights.weight, 0), _widened(weights.bias, 0), "pixels")

    def branch(self, model: Model) -> None:
        """From ``trunk``, widened, to ``branch``."""
        weights = folded(model, model.spec.branch)
        self.fabric_convolution(model.spec.branch, _widened(weights.weight, 1), weights.bias, "trunk")

    def fabric_convolution(self, layer: FabricLayer, weight: npt.NDArray, bias: npt.NDArray, source: str) -> None:
        """Convolution, max-pool, floor, clip: pooled first, for the rest is monotone."""
        inputs, name = [source, self.constant(weight), self.constant(bias)], layer.name
        self.node("Conv", inputs, f"{name}_sums", pads=[layer.padding] * 4)
        self.pool(f"{name}_sums", f"{name}_pooled")
        self.node("Floor", [f"{name}_pooled"], f"{name}_floor")
        self.clip(f"{name}_floor", name, 0, ACTIVATION_MAX)

    def stage_layers(self, model: Model, number: int, source: str, target: str, widened: bool = False) -> str:
        """The body of a software stage; returns the name of its hidden state, ``source`` where there is no body.

        ``widened``: the features still have the channels that were added to them.
        """
        body = spec.NETWORKS[model.network][number].body
        current = source
        for position, name in enumerate(body):
            end = target if position == len(body) - 1 else f"{target}_{name}"
            # The features' scale is a power of two, so that folding it into the weights changes no product.
            factor = 2.0**model.feature_exponent if number == 0 and position == 0 else 1.0
            current = self.remainder_layer(model, name, current, end, factor, widened and number == 0)
        return current

    def stage_head(self, model: Model, number: int, source: str, target: str) -> None:
        head = spec.NETWORKS[model.network][number].head
        current = source
        for position, name in enumerate(head):
            end = target if position == len(head) - 1 else f"{target}_{name}"
            current = self.remainder_layer(model, name, current, end, 1.0)

    def remainder_layer(
        self, model: Model, name: str, source: str, target: str, factor: float, widened: bool = False
    ) -> str:
        shape, weights = REMAINDER_LAYERS[name], model.remainder[name]
        weight = weights.weight * np.float32(factor)
        if shape.kernel:
            weight = _widened(weight, 1) if widened else weight
            self.node("Conv", [source, self.constant(weight), self.constant(weights.bias)], f"{target}_sums")
            self.node("Relu", [f"{target}_sums"], f"{target}_relu")
            self.pool(f"{target}_relu", f"{target}_pooled")
            self.node("Flatten", [f"{target}_pooled"], target, axis=1)
        elif shape.relu:
            self.linear(source, f"{target}_sums", weight, weights.bias)
            self.node("Relu", [f"{target}_sums"], target)
        else:
            self.linear(source, target, weight, weights.bias)
        return target

    def finish(self, inputs: dict[str, tuple[str, tuple]], outputs: dict[str, tuple[str, tuple]]) -> Any:
        helper = self._onnx.helper

        def values(described: dict[str, tuple[str, tuple]]) -> list[Any]:
            return [
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
                for name, (dtype, shape) in described.items()
            ]

        graph = helper.make_graph(
            self._nodes, "pynq_ee", values(inputs), values(outputs), list(self._constants.values())
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        self._onnx.checker.check_model(made)
        return made
