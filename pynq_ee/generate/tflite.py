"""A model as TensorFlow Lite flatbuffers: the first exit, and the software behind it, for LiteRT.

The integers are expressed in float32, exactly, as :mod:`pynq_ee.network.folding` has them, with the channels last as
the format wants them. Every tensor's leading axis is the number of images, which the flatbuffer fixes at 1 and
LiteRT may resize. The images are float32 (n, 28, 28, 1), and logits come out as float32 integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import ToolError
from pynq_ee.network import folding, spec
from pynq_ee.network.spec import (
    ACTIVATION_MAX,
    IMAGE_SIDE,
    LOGIT_MAX,
    LOGIT_MIN,
    POOL,
    REMAINDER_ACTIVATION_MAX,
    REMAINDER_LAYERS,
)
from pynq_ee.network.weights import Model

#: Of the file format; every release of TensorFlow Lite and LiteRT reads it.
SCHEMA_VERSION = 3
FILE_IDENTIFIER = b"TFL3"

Shape = tuple[int, ...]


def first_exit(model: Model) -> bytes:
    """The first exit: images to features (n, 14, 14, 6), integers 0 to 15, and logits (n, 10).

    Raises
    ------
    ToolError
        The package ai-edge-litert is not installed.
    """
    graph = _Graph()
    images = graph.tensor((IMAGE_SIDE, IMAGE_SIDE, 1))
    features = graph.fabric_convolution(model, model.spec.trunk, images)
    maps = graph.fabric_convolution(model, model.spec.branch, features)
    classifier = folding.fabric_layer(model, model.spec.classifier)
    sums = graph.connect(maps, _channels_last(classifier.weight, graph.shape(maps)), classifier.bias, relu=False)
    return graph.finish([images], [features, graph.logits(sums)])


def stage(model: Model, number: int) -> bytes:
    """One software exit: its hidden state to the next one, where its body has layers, and to logits (n, 10).

    Parameters
    ----------
    number
        Of the stage, from 0. The first one takes the trunk's features.
    """
    graph = _Graph()
    hidden = graph.tensor(_hidden_shape(model, number))
    after = graph.remainder_layers(model, spec.NETWORKS[model.network][number].body, hidden)
    logits = graph.remainder_layers(model, spec.NETWORKS[model.network][number].head, after)
    return graph.finish([hidden], [logits] if after == hidden else [after, logits])


def plain(model: Model) -> bytes:
    """The network without early exits: images to the logits of the last exit."""
    graph = _Graph()
    images = graph.tensor((IMAGE_SIDE, IMAGE_SIDE, 1))
    hidden = graph.fabric_convolution(model, model.spec.trunk, images)
    stages = spec.NETWORKS[model.network]
    for each in stages:
        hidden = graph.remainder_layers(model, each.body, hidden)
    return graph.finish([images], [graph.remainder_layers(model, stages[-1].head, hidden)])


def _hidden_shape(model: Model, number: int) -> Shape:
    """Shape of one image's hidden state before a software stage, channels last."""
    if number == 0:
        channels, height, width = model.spec.feature_shape
        return height, width, channels
    before = REMAINDER_LAYERS[spec.NETWORKS[model.network][number - 1].body[-1]]
    side = (model.spec.feature_shape[-1] - before.kernel + 1) // POOL
    return side, side, before.outputs


def _channels_last(weight: npt.NDArray[np.float32], maps: Shape) -> npt.NDArray[np.float32]:
    """Weights (out, inputs) of a layer behind maps (height, width, channels), whose inputs are flattened so."""
    height, width, channels = maps
    ordered = weight.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(ordered.reshape(len(weight), -1))


class _Graph:
    """Tensors and operators of a graph under construction; a tensor is its index."""

    def __init__(self) -> None:
        try:
            import flatbuffers
            from ai_edge_litert import schema_py_generated as schema
        except ImportError as error:
            raise ToolError(f"the export needs ai-edge-litert ({error}): pip install 'pynq_ee[bench]'") from error
        self._builder = flatbuffers.Builder
        self._schema = schema
        # The first buffer is that of every tensor without constants, by the format's rule.
        self._buffers = [schema.BufferT()]
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._codes: list[int] = []

    def shape(self, tensor: int) -> Shape:
        """Of one image."""
        return tuple(self._tensors[tensor].shape[1:])

    def tensor(self, shape: Shape) -> int:
        """A float32 tensor (n, \\*shape)."""
        return self._add([1, *shape], [-1, *shape], 0)

    def constant(self, value: npt.NDArray[Any] | np.float32) -> int:
        """A tensor of float32 or int32 values, which a flatbuffer holds with the lowest byte first."""
        array = np.asarray(value)
        buffer = self._schema.BufferT()
        buffer.data = np.frombuffer(array.astype(array.dtype.newbyteorder("<")).tobytes(), np.uint8)
        self._buffers.append(buffer)
        return self._add(list(array.shape), None, len(self._buffers) - 1, array.dtype.name)

    def _add(self, shape: list[int], signature: list[int] | None, buffer: int, dtype: str = "float32") -> int:
        tensor = self._schema.TensorT()
        tensor.shape, tensor.shapeSignature, tensor.buffer = shape, signature, buffer
        tensor.type, tensor.name = getattr(self._schema.TensorType, dtype.upper()), f"tensor{len(self._tensors)}"
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def operator(self, name: str, inputs: list[int], shape: Shape, kind: str = "", **options: Any) -> int:
        """Add an operator; returns its output, (n, \\*shape). ``kind`` names the table of its options."""
        code = getattr(self._schema.BuiltinOperator, name)
        if code not in self._codes:
            self._codes.append(code)
        made = self._schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = self._codes.index(code), inputs, [self.tensor(shape)]
        if kind:
            made.builtinOptionsType = getattr(self._schema.BuiltinOptions, kind)
            made.builtinOptions = getattr(self._schema, f"{kind}T")()
            for field, value in options.items():
                setattr(made.builtinOptions, field, value)
        self._operators.append(made)
        return int(made.outputs[0])

    def convolve(self, source: int, weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32], same: bool) -> int:
        """Convolution with a ReLU, and its max-pool; ``same``: padded so that the sides stay."""
        relu, padding = self._schema.ActivationFunctionType.RELU, self._schema.Padding
        kernel, side = weight.shape[-1], self.shape(source)[0]
        outside = side if same else side - kernel + 1
        inputs = [source, self.constant(np.ascontiguousarray(weight.transpose(0, 2, 3, 1))), self.constant(bias)]
        sums = self.operator(
            "CONV_2D",
            inputs,
            (outside, outside, len(weight)),
            "Conv2DOptions",
            padding=padding.SAME if same else padding.VALID,
            strideW=1,
            strideH=1,
            dilationWFactor=1,
            dilationHFactor=1,
            fusedActivationFunction=relu,
        )
        halved = (outside // POOL, outside // POOL, len(weight))
        sizes = dict.fromkeys(("strideW", "strideH", "filterWidth", "filterHeight"), POOL)
        return self.operator("MAX_POOL_2D", [sums], halved, "Pool2DOptions", padding=padding.VALID, **sizes)

    def connect(self, source: int, weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32], relu: bool) -> int:
        kinds = self._schema.ActivationFunctionType
        return self.operator(
            "FULLY_CONNECTED",
            [self.flat(source), self.constant(weight), self.constant(bias)],
            (len(weight),),
            "FullyConnectedOptions",
            fusedActivationFunction=kinds.RELU if relu else kinds.NONE,
        )

    def flat(self, source: int) -> int:
        """The source as (n, inputs)."""
        if len(self.shape(source)) == 1:
            return source
        size = int(np.prod(self.shape(source)))
        sizes = self.constant(np.array([-1, size], np.int32))
        return self.operator("RESHAPE", [source, sizes], (size,), "ReshapeOptions", newShape=[-1, size])

    def floor(self, source: int) -> int:
        return self.operator("FLOOR", [source], self.shape(source))

    def at_most(self, source: int, bound: float) -> int:
        return self.operator("MINIMUM", [source, self.constant(np.float32(bound))], self.shape(source))

    def at_least(self, source: int, bound: float) -> int:
        return self.operator("MAXIMUM", [source, self.constant(np.float32(bound))], self.shape(source))

    def activations(self, sums: int, largest: int) -> int:
        """From sums behind a ReLU, which bounds the activations below: a floor leaves no sign that was not there."""
        return self.at_most(self.floor(sums), largest)

    def logits(self, sums: int) -> int:
        return self.at_most(self.at_least(self.floor(sums), LOGIT_MIN), LOGIT_MAX)

    def fabric_convolution(self, model: Model, layer: spec.FabricLayer, source: int) -> int:
        """A convolution of the first exit, whose padding keeps the sides."""
        weights = folding.fabric_layer(model, layer)
        return self.activations(self.convolve(source, weights.weight, weights.bias, same=True), ACTIVATION_MAX)

    def remainder_layers(self, model: Model, names: tuple[str, ...], source: int) -> int:
        for name in names:
            source = self.remainder_layer(model, name, source)
        return source

    def remainder_layer(self, model: Model, name: str, source: int) -> int:
        shape, weights = REMAINDER_LAYERS[name], folding.remainder_layer(model, name)
        if shape.kernel:
            maps = self.convolve(source, weights.weight, weights.bias, same=False)
            return self.activations(maps, REMAINDER_ACTIVATION_MAX)
        weight = _channels_last(weights.weight, self.shape(source)) if len(self.shape(source)) > 1 else weights.weight
        sums = self.connect(source, weight, weights.bias, shape.relu)
        return self.activations(sums, REMAINDER_ACTIVATION_MAX) if shape.relu else self.logits(sums)

    def finish(self, inputs: list[int], outputs: list[int]) -> bytes:
        graph = self._schema.SubGraphT()
        graph.tensors, graph.operators, graph.name = self._tensors, self._operators, "pynq_ee"
        graph.inputs, graph.outputs = inputs, outputs
        made = self._schema.ModelT()
        made.version, made.description = SCHEMA_VERSION, "pynq_ee"
        made.subgraphs, made.buffers = [graph], self._buffers
        made.operatorCodes = [self._code(code) for code in self._codes]
        builder = self._builder(1 << 20)
        builder.Finish(made.Pack(builder), FILE_IDENTIFIER)
        return bytes(builder.Output())

    def _code(self, number: int) -> Any:
        code = self._schema.OperatorCodeT()
        code.builtinCode, code.version = number, 1
        # What readers of before 2020 look at; a byte.
        code.deprecatedBuiltinCode = min(number, 127)
        return code
