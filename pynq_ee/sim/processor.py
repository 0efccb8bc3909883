"""The registers of the processor that pynq touches when it loads an overlay: the clocks of the fabric.

Reset values are those that a PYNQ image leaves behind: PLLs running, the fabric's clocks divided from the IO PLL.
"""

from __future__ import annotations

from pynq_ee.sim.bus import Bus, Memory

#: What ``platform.machine()`` says on a board with the processor; pynq decides by it where the clocks are.
ARCHITECTURES = {"zynq7": "armv7l", "zynqmp": "aarch64"}

#: Where contiguous memory starts: above what Linux uses, below 2 GB, and never 0.
MEMORY_BASES = {"zynq7": 0x1000_0000, "zynqmp": 0x6000_0000}

_ARM_PLL, _DDR_PLL, _IO_PLL = 0x100, 0x104, 0x108
_ZYNQ_SLCR = {
    _ARM_PLL: 26 << 12,  # 50 MHz * 26
    _DDR_PLL: 21 << 12,
    _IO_PLL: 20 << 12,
    0x120: 2 << 8,  # the CPU's clock
    **{0x170 + 0x10 * clock: 1 << 20 | 10 << 8 for clock in range(4)},
}
_ULTRASCALE_CRL = {
    0x20: 1 << 16 | 90 << 8,  # IOPLL, 33.333 MHz * 90 / 2
    0x30: 1 << 16 | 63 << 8,  # RPLL
    **{0xC0 + 4 * clock: 1 << 24 | 1 << 16 | 15 << 8 for clock in range(4)},
}
_ULTRASCALE_CRF = {
    0x20: 1 << 16 | 72 << 8,  # APLL
    0x2C: 1 << 16 | 72 << 8,  # DPLL
    0x38: 1 << 16 | 90 << 8,  # VPLL
    0x60: 1 << 8,  # the CPU's clock
}

_BLOCKS: dict[str, dict[int, tuple[int, dict[int, int]]]] = {
    "zynq7": {0xF800_0000: (0x1000, _ZYNQ_SLCR)},
    "zynqmp": {0xFF5E_0000: (0x1000, _ULTRASCALE_CRL), 0xFD1A_0000: (0x1000, _ULTRASCALE_CRF)},
}


def connect(bus: Bus, processor: str) -> None:
    """Let the clock registers of a processor (``zynq7`` or ``zynqmp``) answer on the bus."""
    for base, (size, reset) in _BLOCKS[processor].items():
        bus.connect(base, size, Memory(reset))
