"""The overlay of ``hw/rtl`` as a design description, for its hardware description (.hwh).

No tool writes one for plain SystemVerilog, and pynq needs one. It has the cells, pins and names of the block design
that ``hw/build.tcl`` makes, so that what is said of the one holds for the other, with these differences:

- the cells are of this project, see :data:`pynq_ee.network.spec.RTL_VLNVS`; only the processor is the vendor's;
- ``interrupt_concat`` and ``memory_interconnect`` are cells here and mere wires in ``overlay.sv``: three interrupts
  side by side, and the reads of one DMA channel with the writes of the other. pynq finds several interrupts behind a
  concatenation only, and a port of the processor has one partner;
- no cell synchronizes the reset: a few flip-flops in ``overlay.sv`` do.
"""

from __future__ import annotations

from pynq_ee.generate.hwh import Design
from pynq_ee.network import spec
from pynq_ee.network.spec import Board

_PROCESSOR = "processing_system"

#: Settings of the processor that pynq or this project reads. Nothing sets them: DDR, MIO and PLLs are the boot image's.
_PROCESSOR_CONFIG = {
    "PCW_FPGA_FCLK0_ENABLE": "1",
    "PCW_EN_CLK0_PORT": "1",
    "PCW_EN_RST0_PORT": "1",
    "PCW_USE_M_AXI_GP0": "1",
    "PCW_USE_S_AXI_HP0": "1",
    "PCW_S_AXI_HP0_DATA_WIDTH": "64",
    "PCW_USE_FABRIC_INTERRUPT": "1",
    "PCW_IRQ_F2P_INTR": "1",
}

_MEMORY_BITS = 64
_BURST_BEATS = 16


def describe(board: Board, beat_bits: int, clock_mhz: float | None = None) -> Design:
    """The design description of the overlay of ``hw/rtl``, for :func:`pynq_ee.generate.hwh.write`.

    Parameters
    ----------
    board
        A board with a Zynq-7000.
    beat_bits
        Width of the kernel's streams: 32 or 64.
    clock_mhz
        The clock that it is built for; the board's by default.

    Raises
    ------
    ValueError
        A board with another processor: ``hw/rtl/zynq7_top.sv`` is for the Zynq-7000.
    """
    if board.processor != "zynq7":
        raise ValueError(
            f"{board.name} has a {board.processor}; the overlay of hw/rtl is for boards with a zynq7: "
            + ", ".join(other.name for other in spec.BOARDS.values() if other.processor == "zynq7")
        )
    dma, kernel, controller = spec.DMA_NAME, spec.KERNEL_NAME, spec.INTERRUPT_NAME
    clock = board.clock_mhz if clock_mhz is None else clock_mhz
    config = {
        dma: _dma_config(beat_bits),
        controller: {"C_IRQ_CONNECTION": "1"},
        "interrupt_concat": {"NUM_PORTS": "3"},
        "control_interconnect": {"NUM_SI": "1", "NUM_MI": "3"},
        "memory_interconnect": {"NUM_SI": "2", "NUM_MI": "1"},
    }
    return {
        "name": f"{spec.OVERLAY_NAME}_rtl",
        "board": board.name,
        "part": board.part,
        "cells": {
            _PROCESSOR: {
                "vlnv": "xilinx.com:ip:processing_system7:5.5",
                "config": {**_PROCESSOR_CONFIG, "PCW_FPGA0_PERIPHERAL_FREQMHZ": f"{clock:g}"},
            },
            **{name: {"vlnv": vlnv, "config": config.get(name, {})} for name, vlnv in spec.RTL_VLNVS.items()},
        },
        "interfaces": [
            [f"{dma}/M_AXIS_MM2S", f"{kernel}/images"],
            [f"{kernel}/results", f"{dma}/S_AXIS_S2MM"],
            [f"{dma}/M_AXI_MM2S", "memory_interconnect/S00_AXI"],
            [f"{dma}/M_AXI_S2MM", "memory_interconnect/S01_AXI"],
            ["memory_interconnect/M00_AXI", f"{_PROCESSOR}/S_AXI_HP0"],
            [f"{_PROCESSOR}/M_AXI_GP0", "control_interconnect/S00_AXI"],
            ["control_interconnect/M00_AXI", f"{dma}/S_AXI_LITE"],
            ["control_interconnect/M01_AXI", f"{kernel}/s_axi_control"],
            ["control_interconnect/M02_AXI", f"{controller}/s_axi"],
        ],
        "nets": [
            [
                f"{_PROCESSOR}/FCLK_CLK0",
                f"{_PROCESSOR}/M_AXI_GP0_ACLK",
                f"{_PROCESSOR}/S_AXI_HP0_ACLK",
                "control_interconnect/aclk",
                "memory_interconnect/aclk",
                f"{dma}/s_axi_lite_aclk",
                f"{dma}/m_axi_mm2s_aclk",
                f"{dma}/m_axi_s2mm_aclk",
                f"{kernel}/ap_clk",
                f"{controller}/s_axi_aclk",
            ],
            [
                f"{_PROCESSOR}/FCLK_RESET0_N",
                "control_interconnect/aresetn",
                "memory_interconnect/aresetn",
                f"{dma}/axi_resetn",
                f"{controller}/s_axi_aresetn",
            ],
            [f"{dma}/mm2s_prmry_reset_out_n", f"{kernel}/ap_rst_n"],
            [f"{dma}/mm2s_introut", "interrupt_concat/In0"],
            [f"{dma}/s2mm_introut", "interrupt_concat/In1"],
            [f"{kernel}/interrupt", "interrupt_concat/In2"],
            ["interrupt_concat/dout", f"{controller}/intr"],
            [f"{controller}/irq", f"{_PROCESSOR}/IRQ_F2P"],
        ],
        "addresses": [
            {"master": _PROCESSOR, "slave": slave, "base": base, "range": size}
            for slave, base, size in (
                (f"{dma}/S_AXI_LITE", board.dma_address, spec.DMA_RANGE),
                (f"{kernel}/s_axi_control", board.kernel_address, spec.KERNEL_RANGE),
                (f"{controller}/s_axi", board.interrupt_address, spec.INTERRUPT_RANGE),
            )
        ]
        + [
            {
                "master": dma,
                "slave": f"{_PROCESSOR}/S_AXI_HP0",
                "base": 0,
                "range": spec.DMA_MEMORY_RANGES[board.processor],
            }
        ],
    }


def _dma_config(beat_bits: int) -> dict[str, str]:
    """Settings of the DMA by Xilinx' names, as pynq reads them: direct register mode without realignment."""
    config: dict[str, int] = {"c_include_sg": 0, "c_sg_include_stscntrl_strm": 0, "c_micro_dma": 0}
    config |= {"c_sg_length_width": spec.DMA_LENGTH_BITS, "c_addr_width": 32}
    for channel, stream in (("mm2s", "m_axis_mm2s"), ("s2mm", "s_axis_s2mm")):
        config |= {
            f"c_include_{channel}": 1,
            f"c_include_{channel}_dre": 0,
            f"c_m_axi_{channel}_data_width": _MEMORY_BITS,
            f"c_{stream}_tdata_width": beat_bits,
            f"c_{channel}_burst_size": _BURST_BEATS,
        }
    return {name: str(value) for name, value in config.items()}
