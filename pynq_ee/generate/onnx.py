"""A model as ONNX graphs: the first exit, and the software behind it, for any runtime that reads ONNX.

The integers are expressed in float32, exactly, as :mod:`pynq_ee.network.folding` has them. Logits come out as int16.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import ToolError
from pynq_ee.network import folding, spec
from pynq_ee.network.spec import (
    ACTIVATION_MAX,
    CLASSES,
    IMAGE_SIDE,
    LOGIT_MAX,
    LOGIT_MIN,
    POOL,
    REMAINDER_ACTIVATION_MAX,
    REMAINDER_LAYERS,
    FabricLayer,
)
from pynq_ee.network.weights import Model

OPSET = 17
#: The oldest format that holds the opset, so that old runtimes read the graphs.
IR_VERSION = 8

#: onnxruntime keeps channels in blocks of eight. A layer of six is widened by zeros, so that it stays in that layout
#: until it is pooled: a twelfth less time in all, and the same numbers.
_BLOCK = 8


def first_exit(model: Model) -> Any:
    """The first exit: ``images`` uint8 (n, 28, 28) to ``features`` float32 (n, 6, 14, 14) and ``logits`` int16 (n, 10).

    Features hold the integers 0 to 15.

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
    layer = folding.fabric_layer(model, model.spec.classifier)
    graph.linear("flat", "accumulator", layer.weight, layer.bias)
    graph.to_logits("accumulator", "logits")
    return graph.finish(
        {"images": ("uint8", ("n", IMAGE_SIDE, IMAGE_SIDE))},
        {"features": ("float32", ("n", *model.spec.feature_shape)), "logits": ("int16", ("n", CLASSES))},
    )


def stage(model: Model, number: int) -> Any:
    """One software exit: ``hidden`` to ``next_hidden``, float32, and ``logits``, int16; see :mod:`pynq_ee.remainder`.

    Parameters
    ----------
    number
        Of the stage, from 0. The first one takes the trunk's features, and all hold their integers as float32.
    """
    graph = _Graph()
    body_end = graph.stage_layers(model, number, "hidden", "next_hidden")
    graph.stage_head(model, number, body_end, "logits")
    shape = model.spec.feature_shape if number == 0 else (_hidden_size(model, number),)
    outputs = {"logits": ("int16", ("n", CLASSES))}
    if body_end != "hidden":
        outputs = {"next_hidden": ("float32", ("n", _hidden_size(model, number + 1))), **outputs}
    return graph.finish({"hidden": ("float32", ("n", *shape))}, outputs)


def plain(model: Model) -> Any:
    """The network without early exits: ``images`` uint8 (n, 28, 28) to ``logits`` of the last exit, int16 (n, 10)."""
    graph = _Graph()
    graph.images_to("pixels")
    graph.trunk(model)
    hidden = "trunk"
    for number in range(len(spec.NETWORKS[model.network])):
        hidden = graph.stage_layers(model, number, hidden, f"hidden{number}", widened=True)
    graph.stage_head(model, len(spec.NETWORKS[model.network]) - 1, hidden, "logits")
    return graph.finish({"images": ("uint8", ("n", IMAGE_SIDE, IMAGE_SIDE))}, {"logits": ("int16", ("n", CLASSES))})


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

    def to_logits(self, source: str, target: str) -> None:
        self.node("Floor", [source], f"{target}_floor")
        self.clip(f"{target}_floor", f"{target}_integers", LOGIT_MIN, LOGIT_MAX)
        self.node("Cast", [f"{target}_integers"], target, to=self._onnx.TensorProto.INT16)

    def to_activations(self, source: str, target: str, largest: int) -> None:
        self.node("Floor", [source], f"{target}_floor")
        self.clip(f"{target}_floor", target, 0, largest)

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
        weights = folding.fabric_layer(model, model.spec.trunk)
        self.fabric_convolution(model.spec.trunk, _widened(weights.weight, 0), _widened(weights.bias, 0), "pixels")

    def branch(self, model: Model) -> None:
        """From ``trunk``, widened, to ``branch``."""
        weights = folding.fabric_layer(model, model.spec.branch)
        self.fabric_convolution(model.spec.branch, _widened(weights.weight, 1), weights.bias, "trunk")

    def fabric_convolution(self, layer: FabricLayer, weight: npt.NDArray, bias: npt.NDArray, source: str) -> None:
        """Convolution, max-pool, floor, clip: pooled first, for the rest is monotone."""
        inputs, name = [source, self.constant(weight), self.constant(bias)], layer.name
        self.node("Conv", inputs, f"{name}_sums", pads=[layer.padding] * 4)
        self.pool(f"{name}_sums", f"{name}_pooled")
        self.to_activations(f"{name}_pooled", name, ACTIVATION_MAX)

    def stage_layers(self, model: Model, number: int, source: str, target: str, widened: bool = False) -> str:
        """The body of a software stage; returns the name of its hidden state, ``source`` where there is no body.

        ``widened``: the features still have the channels that were added to them.
        """
        body = spec.NETWORKS[model.network][number].body
        current = source
        for position, name in enumerate(body):
            end = target if position == len(body) - 1 else f"{target}_{name}"
            current = self.remainder_layer(model, name, current, end, widened and number == 0)
        return current

    def stage_head(self, model: Model, number: int, source: str, target: str) -> None:
        head = spec.NETWORKS[model.network][number].head
        current = source
        for position, name in enumerate(head):
            end = target if position == len(head) - 1 else f"{target}_{name}"
            current = self.remainder_layer(model, name, current, end)

    def remainder_layer(self, model: Model, name: str, source: str, target: str, widened: bool = False) -> str:
        shape, weights = REMAINDER_LAYERS[name], folding.remainder_layer(model, name)
        if shape.kernel:
            weight = _widened(weights.weight, 1) if widened else weights.weight
            self.node("Conv", [source, self.constant(weight), self.constant(weights.bias)], f"{target}_sums")
            self.pool(f"{target}_sums", f"{target}_pooled")
            self.to_activations(f"{target}_pooled", f"{target}_maps", REMAINDER_ACTIVATION_MAX)
            self.node("Flatten", [f"{target}_maps"], target, axis=1)
            return target
        self.linear(source, f"{target}_sums", weights.weight, weights.bias)
        if shape.relu:
            self.to_activations(f"{target}_sums", target, REMAINDER_ACTIVATION_MAX)
        else:
            self.to_logits(f"{target}_sums", target)
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
