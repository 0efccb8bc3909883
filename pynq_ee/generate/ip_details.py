"""What an IP has that a block design does not say: parameters that Vivado derives, registers that the IP brings along.

Of the IPs in the design these are the processors, whose clock dividers follow from the frequencies asked for, the
accelerator, whose registers stand in :mod:`pynq_ee.network.spec`, and the DMA.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree

from pynq_ee.driver import dma
from pynq_ee.network import spec

#: Frequency of the PLL that the fabric's clocks are divided from, in MHz, by processor.
IO_PLL_MHZ = {"processing_system7": 1000.0, "zynq_ultra_ps_e": 1499.985}

_PL_CLOCKS = 4

Fields = dict[str, tuple[int, str]]


def parameters(ip: str, config: dict[str, str]) -> dict[str, str]:
    """Parameters of an IP with these settings: those that follow from them, and the settings themselves.

    Parameters
    ----------
    ip
        Name of the IP, as in the third part of its VLNV.
    config
        Settings without ``CONFIG.``.
    """
    derive = {"processing_system7": _zynq_clocks, "zynq_ultra_ps_e": _ultrascale_clocks}.get(ip)
    return {**(derive(config) if derive else {}), **config}


def registers(vlnv: str) -> list[ElementTree.Element]:
    """REGISTER elements of the IP's AXI4-Lite interface; empty where pynq reads none."""
    if vlnv in spec.KERNEL_VLNVS.values():
        fields = {"CTRL": _CTRL_FIELDS}
        return [
            _register(entry.name, entry.offset, entry.access, entry.description, fields.get(entry.name, {}))
            for entry in spec.REGISTERS
        ]
    if vlnv in spec.DMA_VLNVS.values():
        return [
            _register(name, offset, "read-write", name, fields) for name, (offset, fields) in _DMA_REGISTERS.items()
        ]
    return []


# Clocks --------------------------------------------------------------------------------------------------------------


def _divisors(pll_mhz: float, requested_mhz: float) -> tuple[int, int]:
    """Two dividers of 6 bits for the highest frequency that is not above the requested one."""
    product = math.ceil(pll_mhz / requested_mhz - 1e-9)
    for first in range(1, 64):
        if product % first == 0 and product // first < 64:
            return product // first, first
    return _divisors(pll_mhz, pll_mhz / (product + 1))


def _zynq_clocks(config: dict[str, str]) -> dict[str, str]:
    pll = IO_PLL_MHZ["processing_system7"]
    derived: dict[str, str] = {}
    for clock in range(_PL_CLOCKS):
        enabled = config.get(f"PCW_FPGA_FCLK{clock}_ENABLE", "0")
        requested = float(config.get(f"PCW_FPGA{clock}_PERIPHERAL_FREQMHZ", "50"))
        first, second = _divisors(pll, requested) if enabled == "1" else (1, 1)
        actual = pll / (first * second) if enabled == "1" else 10.0
        derived |= {
            f"PCW_FPGA_FCLK{clock}_ENABLE": enabled,
            f"PCW_FCLK{clock}_PERIPHERAL_CLKSRC": "IO PLL",
            f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR0": str(first),
            f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR1": str(second),
            f"PCW_ACT_FPGA{clock}_PERIPHERAL_FREQMHZ": f"{actual:.6f}",
        }
    return derived


def _ultrascale_clocks(config: dict[str, str]) -> dict[str, str]:
    pll = IO_PLL_MHZ["zynq_ultra_ps_e"]
    derived: dict[str, str] = {}
    for clock in range(_PL_CLOCKS):
        requested = float(config.get(f"PSU__CRL_APB__PL{clock}_REF_CTRL__FREQMHZ", "100"))
        first, second = _divisors(pll, requested)
        derived |= {
            f"PSU__FPGA_PL{clock}_ENABLE": "0",
            f"PSU__CRL_APB__PL{clock}_REF_CTRL__SRCSEL": "IOPLL",
            f"PSU__CRL_APB__PL{clock}_REF_CTRL__DIVISOR0": str(first),
            f"PSU__CRL_APB__PL{clock}_REF_CTRL__DIVISOR1": str(second),
            f"PSU__CRL_APB__PL{clock}_REF_CTRL__ACT_FREQMHZ": f"{pll / (first * second):.6f}",
        }
    return derived


# Registers -----------------------------------------------------------------------------------------------------------

_CTRL_FIELDS: Fields = {
    "AP_START": (0, "read-write"),
    "AP_DONE": (1, "read-only"),
    "AP_IDLE": (2, "read-only"),
    "AP_READY": (3, "read-only"),
}

_DMA_CONTROL_FIELDS: Fields = {
    "RS": (0, "read-write"),
    "Reset": (2, "read-write"),
    "IOC_IrqEn": (12, "read-write"),
    "Dly_IrqEn": (13, "read-write"),
    "Err_IrqEn": (14, "read-write"),
}
_DMA_STATUS_FIELDS: Fields = {
    "Halted": (0, "read-only"),
    "Idle": (1, "read-only"),
    "SGIncld": (3, "read-only"),
    "DMAIntErr": (4, "read-only"),
    "DMASlvErr": (5, "read-only"),
    "DMADecErr": (6, "read-only"),
    "IOC_Irq": (12, "read-write"),
    "Dly_Irq": (13, "read-write"),
    "Err_Irq": (14, "read-write"),
}
_DMA_REGISTERS: dict[str, tuple[int, Fields]] = {
    f"{channel}_{name}": (base + offset, fields)
    for channel, base, address in (("MM2S", dma.SEND_BASE, "SA"), ("S2MM", dma.RECEIVE_BASE, "DA"))
    for name, offset, fields in (
        ("DMACR", dma.CONTROL, _DMA_CONTROL_FIELDS),
        ("DMASR", dma.STATUS, _DMA_STATUS_FIELDS),
        (address, dma.ADDRESS, {}),
        (f"{address}_MSB", dma.ADDRESS_HIGH, {}),
        ("LENGTH", dma.LENGTH, {}),
    )
}


def _register(name: str, offset: int, access: str, description: str, fields: Fields) -> ElementTree.Element:
    register = ElementTree.Element("REGISTER", NAME=name)
    _properties(
        register,
        DESCRIPTION=description,
        ADDRESS_OFFSET=f"0x{offset:X}",
        SIZE="32",
        ACCESS=access,
        IS_ENABLED="true",
        RESET_VALUE="0x0",
    )
    listed = ElementTree.SubElement(register, "FIELDS")
    for field, (bit, field_access) in fields.items():
        _properties(
            ElementTree.SubElement(listed, "FIELD", NAME=field),
            DESCRIPTION=field,
            ADDRESS_OFFSET=str(bit),
            ACCESS=field_access,
            BIT_OFFSET=str(bit),
            BIT_WIDTH="1",
        )
    return register


def _properties(element: ElementTree.Element, **values: str) -> None:
    for name, value in values.items():
        ElementTree.SubElement(element, "PROPERTY", NAME=name, VALUE=value)
