"""The first exit's arithmetic in plain pipelined Verilog: the part of ``hw/rtl/`` that a model decides.

``hw/rtl/`` is the circuit for which no HLS tool is needed: open tools simulate and count it, Vivado packages it. It
has the processes of ``hw/hls`` with one addition a clock and a register behind each. What does not depend on the
weights is written by hand there; this module adds the constants, the sums of products of both convolutions, and the
classifier's weights and products.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from pynq_ee.generate import constants
from pynq_ee.generate.verilog_pipeline import Pipeline, Signal, Term
from pynq_ee.network import spec as _spec
from pynq_ee.network.spec import FabricLayer
from pynq_ee.network.weights import LayerWeights, Model

#: Bits of the classifier's weights that one register of the step addresses, so that none drives more than some
#: twenty look-up tables for each of its bits.
_ROM_PART_BITS = 16


def generated(model: Model) -> str:
    """Verilog of the package ``spec`` and of the modules that a model decides, for the circuit of ``hw/rtl/``."""
    values: dict[str, int | str] = {}
    for section in constants.counts(model).values():
        values.update(section)
    for section in constants.bits(model).values():
        values.update({name: f"32'h{value:08x}" for name, value in section.items()})
    modules = []
    for part in (_trunk, _branch, _classifier):
        lines, latency = part(model)
        modules += [*lines, ""]
        values[f"{part.__name__[1:].upper()}_LATENCY"] = latency
    values.update(_reference_constants(model))
    values.update(_overlay_constants(_spec.DEFAULT_BOARD))
    package = [f"  localparam {name} = {value};" for name, value in values.items()]
    text = "\n".join(["package spec;", *package, "endpackage", "", *modules, *_classifier_weights(model), ""])
    banner = [
        f"// written by pynq_ee/generate/verilog.py of the model with build_id 0x{model.build_id:08x}; do not edit",
        # hw/vivado/compare_generated.py compares it
        f"// SHA-256 of what follows: {hashlib.sha256(text.encode()).hexdigest()}",
    ]
    return "\n".join([*banner, text])


def _reference_constants(model: Model) -> dict[str, int | str]:
    """Constants that only the reference circuit has."""
    spec, weights = model.spec, model.fabric["classifier"]
    _, biases = constants.classifier_rom(model)
    bits = constants.accumulator_bits(spec.classifier, weights)
    half = (1 << int(weights.shift[0])) >> 1
    packed = _packed([int(bias) + half for bias in biases.ravel()], bits)
    phase_classes = biases.shape[1]
    row_bits = phase_classes * spec.branch_channels * spec.classifier_weight_bits
    return {
        "TOKEN_BITS": _spec.TOKEN_POSITIONS * spec.trunk.out_channels * _spec.ACTIVATION_BITS,
        "POSITION_BITS": spec.branch_channels * _spec.ACTIVATION_BITS,
        "MODE_FEATURES_BIT": _spec.MODE_FEATURES.bit_length() - 1,
        "CLASSIFIER_PHASE_CLASSES": phase_classes,
        "CLASSIFIER_ROW_BITS": row_bits,
        "CLASSIFIER_SHIFT": int(weights.shift[0]),
        "CLASSIFIER_BIAS": f"{biases.size * bits}'h{packed:x}",
        "SUMS_BITS": phase_classes * bits,
        "CLASSIFIER_ROM_PARTS": -(-row_bits // _ROM_PART_BITS),
        **{f"DEPTH_{name.upper()}": depth for name, depth in _spec.FIFO_DEPTHS.items()},
        **{f"NEEDED_{name.upper()}": depth for name, depth in _spec.FIFO_NEEDED.items()},
        **_register_constants(),
        "CRC_ROW": f"{_spec.CRC_BITS * spec.beat_bits}'h{_crc_rows(spec.beat_bits):x}",
    }


def _overlay_constants(board: _spec.Board) -> dict[str, int | str]:
    """Constants of the overlay around the kernel: where a board's processor sees what, and how much."""
    addresses = {"DMA": board.dma_address, "KERNEL": board.kernel_address, "INTERRUPT": board.interrupt_address}
    largest = max(_spec.DMA_RANGE, _spec.KERNEL_RANGE, _spec.INTERRUPT_RANGE)
    return {
        **{f"{name}_ADDRESS": f"32'h{address:08x}" for name, address in addresses.items()},
        "RANGE_BITS": (largest - 1).bit_length(),
        "REGISTER_ADDRESS_BITS": _spec.REGISTER_ADDRESS_BITS,
        "DMA_LENGTH_BITS": _spec.DMA_LENGTH_BITS,
    }


def _register_constants() -> dict[str, int | str]:
    """Where the registers are, and the bits of the first one."""
    controls = ("CTRL_START", "CTRL_DONE", "CTRL_IDLE", "CTRL_READY")
    return {
        **{f"OFFSET_{register.name.upper()}": register.offset for register in _spec.REGISTERS},
        **{f"{name}_BIT": getattr(_spec, name).bit_length() - 1 for name in controls},
    }


def _crc_rows(bits: int) -> int:
    """For each bit of a checksum, the first one lowest, a field: the bits of a beat that come into it."""
    columns = _spec.crc_columns(bits)
    rows = [sum((column >> place & 1) << bit for bit, column in enumerate(columns)) for place in range(_spec.CRC_BITS)]
    return _packed(rows, bits)


def _packed(values: Iterable[int], bits: int) -> int:
    """Values as fields of one number, the first one in the lowest bits."""
    return sum((value & ((1 << bits) - 1)) << (index * bits) for index, value in enumerate(values))


def _trunk(model: Model) -> tuple[list[str], int]:
    """A group's convolution, pooled horizontally, in the order of a token. Also the clocks that it takes."""
    layer, columns = model.spec.trunk, _spec.GROUP_PIXELS + model.spec.trunk.kernel - 1
    return _convolution("trunk", model, layer, columns, _spec.TOKEN_POSITIONS, "token")


def _branch(model: Model) -> tuple[list[str], int]:
    """A step's convolution, pooled as far as the step goes. Also the clocks that it takes."""
    layer = model.spec.branch
    positions = _spec.TOKEN_POSITIONS // model.spec.branch_interval
    return _convolution("branch", model, layer, positions + layer.kernel - 1, 1, "position")


def _convolution(
    name: str, model: Model, layer: FabricLayer, columns: int, outputs: int, output: str
) -> tuple[list[str], int]:
    """The convolution at each place of a patch of ``columns``, and the greatest of each of ``outputs`` equal parts."""
    pipeline, weights = Pipeline(), model.fabric[layer.name]
    value_bits = layer.input_max.bit_length()
    pixels = [
        pipeline.input("patch", index * value_bits, 0, layer.input_max)
        for index in range(layer.kernel * columns * layer.in_channels)
    ]
    patch = np.array(pixels, object).reshape(layer.kernel, columns, layer.in_channels)
    pooled = (columns - layer.kernel + 1) // outputs
    signals = [
        pipeline.maximum(
            [_output(pipeline, patch, layer, weights, channel, part * pooled + place) for place in range(pooled)]
        )
        for part in range(outputs)
        for channel in range(layer.out_channels)
    ]
    latency = max(signal.clock for signal in signals)
    values = [pipeline.at(signal, latency).name for signal in signals]
    ports = {"patch": layer.kernel * columns * layer.in_channels * value_bits}
    return list(pipeline.module(f"{name}_arithmetic", ports, output, values)), latency


def _output(
    pipeline: Pipeline,
    patch: npt.NDArray[np.object_],
    layer: FabricLayer,
    weights: LayerWeights,
    channel: int,
    place: int,
) -> Signal:
    """One activation: a channel's kernel at one place of the patch."""
    kernel, shift = weights.weight[channel], int(weights.shift[channel])
    terms = [
        pipeline.multiple(patch[y, place + x, source], int(kernel[source][y][x]))
        for y in range(layer.kernel)
        for x in range(layer.kernel)
        for source in range(layer.in_channels)
    ]
    return pipeline.activation(pipeline.tree(terms), int(weights.bias[channel]) + ((1 << shift) >> 1), shift)


def _classifier(model: Model) -> tuple[list[str], int]:
    """A position's products with the weights of some classes, each with a copy of it, summed for each class.

    Also the clocks that it takes.
    """
    pipeline, layer = Pipeline(), model.spec.classifier
    channels, weight_bits = model.spec.branch_channels, layer.weight_bits
    accumulator_bits = constants.accumulator_bits(layer, model.fabric["classifier"])
    classes = -(-_spec.CLASSES // model.spec.classifier_interval)
    sums = []
    for index in range(classes):
        activations = [
            pipeline.input("positions", (index * channels + channel) * _spec.ACTIVATION_BITS, 0, layer.input_max)
            for channel in range(channels)
        ]
        products = [
            pipeline.tree(
                [
                    Term(
                        pipeline.digit(
                            activations[channel],
                            "weights",
                            (index * channels + channel) * weight_bits + place,
                            signed=place == weight_bits - 2,
                        ),
                        place,
                        False,
                    )
                    for place in range(0, weight_bits, 2)
                ]
            )
            for channel in range(channels)
        ]
        total = pipeline.tree(products)
        assert total is not None and total.shift == 0 and not total.negative
        sums.append(total.signal)
    latency = max(signal.clock for signal in sums)
    values = [pipeline.at(signal, latency).part(0, accumulator_bits) for signal in sums]
    ports = {"positions": classes * channels * _spec.ACTIVATION_BITS, "weights": classes * channels * weight_bits}
    return list(pipeline.module("classifier_arithmetic", ports, "sums", values)), latency


def _classifier_weights(model: Model) -> Iterable[str]:
    """The classifier's weights, a row for each step of an image, in the order of the sums."""
    layer, interval = model.spec.classifier, model.spec.classifier_interval
    rows, _ = constants.classifier_rom(model)
    fields = [
        [(int(word) >> (4 * channel)) & 0xF for word in row for channel in range(model.spec.branch_channels)]
        for row in rows
    ]
    steps = model.spec.branch_tokens * interval
    bits = len(fields[0]) * layer.weight_bits
    yield "module classifier_weights (input wire clock, input wire [8*spec::CLASSIFIER_ROM_PARTS-1:0] steps,"
    yield "    output reg [spec::CLASSIFIER_ROW_BITS-1:0] weights);"
    for part, first in enumerate(range(0, bits, _ROM_PART_BITS)):
        width = min(_ROM_PART_BITS, bits - first)
        yield f"  reg [{width - 1}:0] part_{part} [0:{steps - 1}];"
        yield f"  always @(posedge clock) weights[{first} +: {width}] <= part_{part}[steps[{8 * part} +: 8]];"
    yield "  initial begin"
    for step, row in enumerate(fields):
        packed = _packed(row, layer.weight_bits)
        for part, first in enumerate(range(0, bits, _ROM_PART_BITS)):
            width = min(_ROM_PART_BITS, bits - first)
            yield f"    part_{part}[{step}] = {width}'h{packed >> first & ((1 << width) - 1):x};"
    yield "  end"
    yield "endmodule"
