"""Registers are written where the checked ``.hwh`` has them, whatever pynq remembers of the bitstream."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pynq.pl_server import embedded_device

import pynq_notes
from pynq_ee import EarlyExitInference
from pynq_ee.driver import bitfiles
from pynq_ee.driver.accelerator import Accelerator
from pynq_ee.errors import DeviceError, OverlayError
from pynq_ee.generate import hwh
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice, recorded_designs

Change = Callable[[dict[str, Any]], None]


class RememberingDevice(SimulatedDevice):
    """A simulated board that takes a bitstream's metadata from pynq's cache, as pynq's own device of a board does."""

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        parsed = super().get_bitfile_metadata(bitfile_name, partial)
        try:
            remembered = embedded_device._get_bitstream_handler(bitfile_name)._get_cache()
        except embedded_device.CacheMetadataError:
            return parsed
        remembered.interrupt_controllers = parsed.interrupt_controllers
        return remembered

    def download(self, bitstream: Any, parser: Any = None) -> None:
        super().download(bitstream, parser)
        embedded_device.EmbeddedDevice.gen_cache(self, bitstream, parser)


@pytest.fixture(autouse=True)
def notes(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "notes").mkdir()
    with pynq_notes.kept_in(tmp_path / "notes") as folder:
        yield folder


def move_dma(design: dict[str, Any]) -> None:
    for entry in design["addresses"]:
        if entry["slave"].startswith("axi_dma/") and entry["master"] == "processing_system":
            entry["base"] = 0x41E0_0000


def widen_addresses(design: dict[str, Any]) -> None:
    design["cells"]["axi_dma"]["config"]["c_addr_width"] = "40"


def written(folder: Path, device: SimulatedDevice, design: Any) -> Path:
    bit = folder / "first_exit.bit"
    if not bit.exists():
        shutil.copy(device.bitfile, bit)
    hwh.write(design, bit.with_suffix(".hwh"))
    return bit


@pytest.mark.parametrize("change", [move_dma, widen_addresses])
def test_the_description_beside_the_bitstream_counts_and_not_the_remembered_one(
    model: Model, tmp_path: Path, notes: Path, change: Change
) -> None:
    old = recorded_designs.load("pynq-z2", model.spec.beat_bits)
    new = copy.deepcopy(old)
    change(new)
    for design in (old, new):
        with RememberingDevice(model, kernel="numpy") as device:
            bit = written(tmp_path, device, design)
            with EarlyExitInference(model, device=device, bitfile=bit) as network:
                assert len(network.classify(np.zeros((2, 28, 28), np.uint8))) == 2
                words = design["cells"]["axi_dma"]["config"].get("c_addr_width", "32")
                assert network.accelerator._dma.send._wide_address == (int(words) > 32)
        assert (notes / "_current_metadata.pkl").is_file(), "pynq does not remember here: nothing is tested"


def test_what_pynq_remembers_and_cannot_be_removed_is_told_before_a_register_is_touched(
    model: Model, tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = recorded_designs.load("pynq-z2", model.spec.beat_bits)
    with RememberingDevice(model, kernel="numpy") as device:
        EarlyExitInference(model, device=device, bitfile=written(tmp_path, device, design)).close()
        move_dma(design)
        bit = written(tmp_path, device, design)
        before = device.register_accesses

        def refuse(path: Path, missing_ok: bool = False) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "unlink", refuse)
        with pytest.raises(
            OverlayError, match=r"axi_dma has 65536 bytes at 0x41e00000, for pynq 65536 bytes at 0x40400"
        ):
            EarlyExitInference(model, device=device, bitfile=bit)
        assert device.register_accesses == before


def test_a_description_that_pynq_reads_otherwise_is_refused_before_a_register_is_touched(
    model: Model, tmp_path: Path
) -> None:
    class Stubborn(SimulatedDevice):
        def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
            parsed = super().get_bitfile_metadata(bitfile_name, partial)
            parsed.ip_dict["first_exit"]["phys_addr"] += 0x1000
            return parsed

    with Stubborn(model, kernel="numpy") as device:
        with pytest.raises(OverlayError, match=r"pynq's description .*first_exit has .* copy the .bit and the .hwh"):
            Accelerator(model, device, bitfiles.find(device))
        assert device.register_accesses == 0


def test_an_address_that_is_no_number_is_refused(model: Model) -> None:
    with SimulatedDevice(model, kernel="numpy") as device:
        path = Path(device.bitfile).with_suffix(".hwh")
        path.write_text(path.read_text().replace('BASEVALUE="0x43C00000"', 'BASEVALUE="there"'))
        with pytest.raises((OverlayError, DeviceError), match=r"there|damaged|cannot read"):
            EarlyExitInference(model, device=device)


def test_every_buffer_is_asked_for_as_cacheable(model: Model) -> None:
    """pynq allocates uncached memory unless it is told, and then each access of the host is one to the DRAM."""
    asked = []

    class Asked(SimulatedDevice):
        def allocate(self, shape: Any, dtype: Any = "u4", cacheable: bool = False) -> Any:
            asked.append(cacheable)
            return super().allocate(shape, dtype, cacheable)

    with Asked(model, kernel="numpy") as device, EarlyExitInference(model, device=device):
        assert asked == [True] * 4
