"""The driver on pynq's own remote device, unmodified, against a server of the interface that pynq ships."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pynq.remote.mmio_pb2", reason="pynq has a remote device from 4.0 on")

from pynq.pl_server.embedded_device import bit2bin
from pynq.pl_server.remote_device import RemoteDevice

import pynq_notes
import remote_server
from pynq_ee import EarlyExitInference
from pynq_ee.errors import IdentityError, OverlayError
from pynq_ee.generate import hwh
from pynq_ee.network import spec
from pynq_ee.sim import SimulatedDevice, bitfile, recorded_designs

# pynq 4.0 supports no Zynq-7000.
BOARD = "zcu104"
CAPACITY = 32


@pytest.fixture(scope="module")
def board(model) -> Iterator[SimulatedDevice]:
    with SimulatedDevice(model, kernel="numpy", board=BOARD) as device:
        yield device


@pytest.fixture(scope="module")
def served(board, tmp_path_factory) -> Iterator[tuple[int, Any, Any]]:
    notes = tmp_path_factory.mktemp("notes")
    with pynq_notes.kept_in(notes), remote_server.serving(board, "ZCU104") as served:
        yield served


@pytest.fixture
def remote(served) -> RemoteDevice:
    return RemoteDevice(0, "127.0.0.1", served[0])


@pytest.mark.parametrize("count", [1, CAPACITY, 2 * CAPACITY + 5])
def test_a_remote_board_gives_what_a_local_one_gives(remote, board, model, images, count):
    wanted = images(count)
    with EarlyExitInference(model, device="sim-numpy", threshold=1.0) as local:
        expected = local.classify(wanted)
    with EarlyExitInference(
        model, device=remote, bitfile=board.bitfile, threshold=1.0, images_per_transfer=CAPACITY
    ) as network:
        found = network.classify(wanted)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.exits, expected.exits)
    assert found.device == "ZCU104"


def test_its_bitstream_is_sent_and_its_buffers_are_freed(remote, served, board, model, images):
    _, files, buffers = served
    before = files.programmed
    with EarlyExitInference(model, device=remote, bitfile=board.bitfile, images_per_transfer=CAPACITY) as network:
        network.classify(images(3))
        assert files.programmed == before + 1
        assert len(buffers.buffers) == 4  # two batches, images and results
        assert network.accelerator.clock_mhz == pytest.approx(150, rel=1e-3)
    del network
    assert not buffers.buffers and not board.live_buffers


def test_a_transfer_takes_few_register_accesses_each_of_which_is_a_call_over_the_network(remote, board, model, images):
    with EarlyExitInference(model, device=remote, bitfile=board.bitfile, images_per_transfer=CAPACITY) as network:
        network.classify(images(CAPACITY))
        before = board.register_accesses
        network.classify(images(CAPACITY))
        assert board.register_accesses - before <= 15


def test_another_models_circuit_is_refused(remote, board, random_model):
    with pytest.raises(IdentityError, match="build_id"):
        EarlyExitInference(random_model(seed=99), device=remote, bitfile=board.bitfile)


def test_another_boards_bitstream_is_refused_before_it_is_sent(remote, served, model):
    before = served[1].programmed
    with (
        SimulatedDevice(model, kernel="numpy", board="pynq-z2") as other,
        pytest.raises(OverlayError, match="zcu104 has a"),
    ):
        EarlyExitInference(model, device=remote, bitfile=other.bitfile)
    assert served[1].programmed == before


def test_a_rebuilt_bitstream_of_the_same_name_is_sent_and_its_clock_is_set_on_itself(
    remote, served, board, model, images, tmp_path
):
    _, files, _ = served
    part = spec.BOARDS[BOARD].part
    for content, clock in ((b"simulated", 150.0), (b"another build", 100.0)):
        bit = bitfile.write(tmp_path / "first_exit.bit", "first_exit", part, content, model.build_id)
        shutil.copy(Path(board.bitfile).with_suffix(".hwh"), bit.with_suffix(".hwh"))
        manifest = {"build_id": f"{model.build_id:08x}", "clock_mhz": clock}
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        files.builds.append(bit)
        with EarlyExitInference(model, device=remote, bitfile=bit, images_per_transfer=CAPACITY) as network:
            network.classify(images(1))
            assert files.loaded == bit2bin(bit.read_bytes())
            assert network.accelerator.clock_mhz == pytest.approx(clock, rel=1e-3)


def test_the_right_description_is_read_after_a_wrong_one_beside_the_same_bitstream(
    remote, board, model, images, tmp_path
):
    right = recorded_designs.load(BOARD, model.spec.beat_bits)
    wrong = copy.deepcopy(right)
    for entry in wrong["addresses"]:
        if entry["slave"].startswith("axi_dma/") and entry["master"] != "axi_dma":
            entry["base"] += 0x100000
    bit = Path(shutil.copy(board.bitfile, tmp_path / "first_exit.bit"))
    options = {"device": remote, "bitfile": bit, "images_per_transfer": CAPACITY}
    hwh.write(wrong, bit.with_suffix(".hwh"))
    with pytest.raises(Exception, match="nothing answers at address"):
        EarlyExitInference(model, **options)
    hwh.write(right, bit.with_suffix(".hwh"))
    with EarlyExitInference(model, **options) as network:
        assert len(network.classify(images(1))) == 1
