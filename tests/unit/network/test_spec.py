"""The numbers of the fabric agree with each other, and with the interface that is published."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

import models
from pynq_ee.network import spec
from pynq_ee.network.spec import BOARDS, NETWORKS, REGISTERS, REMAINDER_LAYERS, Spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixels_per_beat": 2}, "pixels_per_beat is 2; it must be 4 or 8"),
        ({"pixels_per_beat": 16}, "pixels_per_beat is 16"),
        ({"branch_channels": 0}, "branch_channels is 0; it must be 1 to 16"),
        ({"branch_channels": 17}, "branch_channels is 17"),
        ({"trunk_weight_bits": 3}, "trunk_weight_bits is 3 bit"),
        ({"branch_weight_bits": 8}, "branch_weight_bits is 8 bit"),
        ({"classifier_weight_bits": 1}, "classifier_weight_bits is 1 bit"),
        ({"pixels_per_beat": 8.0}, "pixels_per_beat is 8.0; it must be a whole number"),
        ({"branch_channels": True}, "branch_channels is True; it must be a whole number"),
        ({"branch_weight_bits": "2"}, "branch_weight_bits is '2'; it must be a whole number"),
    ],
)
def test_a_number_outside_its_range_is_refused_by_name_and_value(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("'", ".")):
        Spec(**change)


def test_the_layers_have_the_shapes_of_lenet_and_its_branch() -> None:
    trunk, branch, classifier = Spec(branch_channels=16).layers
    assert trunk.weight_shape == (6, 1, 5, 5) and trunk.side == 28 and trunk.input_max == 255
    assert branch.weight_shape == (16, 6, 3, 3) and branch.side == 14 and branch.input_max == 15
    assert classifier.weight_shape == (10, 784)
    assert [layer.taps for layer in (trunk, branch, classifier)] == [25, 54, 784]


@pytest.mark.parametrize("chosen", models.SPECS, ids=str)
def test_each_layer_takes_what_the_one_before_it_gives(chosen: Spec) -> None:
    trunk, branch, classifier = chosen.layers
    assert branch.in_channels == trunk.out_channels
    assert branch.side * spec.POOL == trunk.side
    assert classifier.in_channels == branch.out_channels * chosen.branch_tokens
    for layer in (trunk, branch):
        assert layer.side + 2 * layer.padding - layer.kernel + 1 == layer.side, "padding keeps the side"


@pytest.mark.parametrize(("pixels", "bits", "image", "features", "result"), [(4, 32, 196, 147, 6), (8, 64, 98, 74, 3)])
def test_the_streams_are_those_of_the_contract(pixels: int, bits: int, image: int, features: int, result: int) -> None:
    chosen = Spec(pixels_per_beat=pixels)
    assert (chosen.beat_bits, chosen.image_beats, chosen.feature_beats, chosen.result_beats) == (
        bits,
        image,
        features,
        result,
    )
    assert chosen.feature_bytes == 588 and spec.RESULT_BYTES == 24
    assert chosen.output_bytes(False) == 24
    assert chosen.output_bytes(True) == (588 + 24 if pixels == 4 else 592 + 24)
    assert spec.batch_clocks(chosen, 0) == 400 and spec.batch_clocks(chosen, 1000) == 1000 * image + 400


@pytest.mark.parametrize("pixels", [4, 8])
def test_every_process_keeps_the_pace_of_the_image_stream(pixels: int) -> None:
    chosen = Spec(pixels_per_beat=pixels)
    assert chosen.branch_interval * chosen.trunk_tokens == chosen.image_beats
    assert chosen.classifier_interval * chosen.branch_tokens == chosen.image_beats
    assert spec.IMAGE_SIDE % spec.GROUP_PIXELS == 0, "no group straddles two rows"
    assert chosen.pixels_per_beat % spec.GROUP_PIXELS == 0
    assert chosen.output_beats(True) < chosen.image_beats, "the output never holds up the input"


def test_weights_are_ternary_or_symmetric_four_bit() -> None:
    assert Spec(trunk_weight_bits=2).trunk.weight_max == 1
    assert Spec(trunk_weight_bits=4).trunk.weight_max == 7


def test_every_choice_changes_what_identifies_the_circuit() -> None:
    base = Spec()
    for name, other in (
        ("pixels_per_beat", 4),
        ("branch_channels", 8),
        ("trunk_weight_bits", 2),
        ("branch_weight_bits", 4),
        ("classifier_weight_bits", 2),
    ):
        assert dataclasses.replace(base, **{name: other}).canonical() != base.canonical()
    assert {"interface_version", "activation_bits", "logit_bits"} <= base.canonical().keys()


def test_the_magic_reads_as_letters() -> None:
    assert spec.MAGIC == 0x45455950
    assert spec.MAGIC.to_bytes(4, "little") == b"PYEE"


def test_registers_do_not_overlap_and_fit_their_address_bits() -> None:
    taken: set[int] = set()
    for register in REGISTERS:
        hls_own = register.offset < 0x10
        words = {register.offset} | ({register.offset + 4} if register.access == "read-only" and not hls_own else set())
        assert register.offset % 4 == 0
        assert not words & taken, register.name
        taken |= words
    assert max(taken) < 1 << spec.REGISTER_ADDRESS_BITS <= spec.KERNEL_RANGE
    assert [register.name for register in REGISTERS[:4]] == ["CTRL", "GIER", "IP_IER", "IP_ISR"], "as ap_ctrl_hs has it"


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda board: board.name)
def test_the_addresses_of_a_board_do_not_overlap(board: spec.Board) -> None:
    blocks = [
        (board.kernel_address, spec.KERNEL_RANGE),
        (board.dma_address, spec.DMA_RANGE),
        (board.interrupt_address, spec.INTERRUPT_RANGE),
    ]
    for address, size in blocks:
        assert address % size == 0, "AXI wants a block aligned to its size"
        low, high = (0x40000000, 0xC0000000) if board.processor == "zynq7" else (0xA0000000, 0xB0000000)
        assert low <= address and address + size <= high, "a general-purpose master port of the processor reaches it"
    ordered = sorted(blocks)
    assert all(start + size <= following for (start, size), (following, _) in itertools.pairwise(ordered))


def test_one_bitstream_serves_the_z1_and_the_z2() -> None:
    assert BOARDS["pynq-z1"] == dataclasses.replace(BOARDS["pynq-z2"], name="pynq-z1")


def test_the_remainder_of_every_network_fits_together() -> None:
    features = Spec().feature_shape
    for network, stages in NETWORKS.items():
        side = (features[1] - REMAINDER_LAYERS["conv"].kernel + 1) // spec.POOL
        width = features[0]
        for stage in stages:
            for name in stage.body:
                layer = REMAINDER_LAYERS[name]
                assert layer.inputs == width, (network, name)
                width = layer.outputs * side * side if layer.kernel else layer.outputs
            hidden = width
            for name in stage.head:
                assert REMAINDER_LAYERS[name].inputs == hidden, (network, name)
                hidden = REMAINDER_LAYERS[name].outputs
            assert hidden == spec.CLASSES
            assert not REMAINDER_LAYERS[stage.head[-1]].relu, "logits are not rectified"
    assert {network: spec.network_exits(network) for network in NETWORKS} == {"lenet5-2exit": 2, "lenet5-3exit": 3}
