"""Descriptions as Vivado writes them of designs with more in them: what is read of them, by us and by pynq."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
from pynqmetadata.frontends import Metadata

import vivado_shapes
from pynq_ee.driver import bitfiles, hardware_description
from pynq_ee.errors import OverlayError
from pynq_ee.network import spec
from pynq_ee.notebook import block_design
from pynq_ee.sim import bitfile

RELEASES = [pytest.param(False, id="older"), pytest.param(True, id="newer")]


@pytest.fixture(params=spec.BOARDS)
def board(request: pytest.FixtureRequest) -> spec.Board:
    return spec.BOARDS[request.param]


@pytest.fixture(params=RELEASES)
def path(request: pytest.FixtureRequest, board: spec.Board, tmp_path: Path) -> Path:
    bit = tmp_path / "first_exit.bit"
    bitfile.write(bit, spec.OVERLAY_NAME, board.part, b"bitstream", 0)
    return vivado_shapes.write(board, bit.with_suffix(".hwh"), request.param)


def test_the_right_dma_and_kernel_are_found_among_others(path: Path, board: spec.Board) -> None:
    assert bitfiles.check(path.with_suffix(".bit"), board) == path.with_suffix(".bit")
    design = hardware_description.read(path)
    found = hardware_description.address_map(design)
    assert found[spec.DMA_NAME] == [(board.dma_address, spec.DMA_RANGE)]
    assert found[spec.KERNEL_NAME] == [(board.kernel_address, spec.KERNEL_RANGE)]
    assert {vivado_shapes.OTHER_DMA, vivado_shapes.GPIO} <= found.keys()
    assert hardware_description.parameters(design, spec.DMA_NAME)["c_sg_length_width"] == str(spec.DMA_LENGTH_BITS)
    assert hardware_description.parameters(design, vivado_shapes.OTHER_DMA)["c_sg_length_width"] == "14"


def test_the_other_dma_alone_is_not_taken_for_the_right_one(path: Path, board: spec.Board) -> None:
    text = path.read_text()
    path.write_text(text.replace(f'INSTANCE="{spec.DMA_NAME}"', 'INSTANCE="axi_dma_0"'))
    with pytest.raises(OverlayError, match=r"first_exit\.hwh .* it has no axi_dma\. Run"):
        bitfiles.check(path.with_suffix(".bit"), board)


def test_pynq_finds_the_same_and_the_interrupt_on_the_line_that_it_has(path: Path, board: spec.Board) -> None:
    parsed: Any = RuntimeMetadataParser(Metadata(input=str(path)))
    assert parsed.ip_dict[spec.DMA_NAME]["phys_addr"] == board.dma_address
    assert parsed.ip_dict[spec.KERNEL_NAME]["phys_addr"] == board.kernel_address
    pins = parsed.interrupt_pins
    assert [pins[f"{spec.DMA_NAME}/{pin}"]["index"] for pin in ("mm2s_introut", "s2mm_introut")] == [1, 2]
    assert pins[f"{spec.KERNEL_NAME}/interrupt"]["index"] == 3
    assert pins[f"{spec.DMA_NAME}/s2mm_introut"]["controller"] == vivado_shapes.CONTROLLER


def test_the_picture_of_the_design_has_every_cell_and_the_way_of_the_interrupts(path: Path) -> None:
    design = block_design.read(path)
    assert {vivado_shapes.OTHER_DMA, vivado_shapes.GPIO, spec.DMA_NAME, spec.KERNEL_NAME} <= design.cells.keys()
    links = {(link.source, link.target) for link in design.links}
    assert (vivado_shapes.OTHER_DMA, vivado_shapes.CONCAT) in links
    assert (spec.DMA_NAME, vivado_shapes.CONCAT) in links
    assert (vivado_shapes.CONCAT, vivado_shapes.CONTROLLER) in links
    assert (spec.DMA_NAME, spec.KERNEL_NAME) in links
