"""The processor's site, PS7: where signals of the fabric begin and end."""

from __future__ import annotations

import re

from pynq_ee.bitcheck.netlist import OPEN, Builder, Net, bundle

#: The manufacturer's own pins, which the primitive does not have.
_FACTORY = ("TEST", "DEBUG")


class Processor:
    """The outputs of a PS7; its inputs are :func:`add`'s."""

    def __init__(self, builder: Builder, tile: str, site: int) -> None:
        pass

    def output(self, pin: str) -> Net:
        """The signal at a pin."""
        return f"PS7_{pin}"


def add(builder: Builder, tile: str, site: int) -> None:
    """Add the processor with all inputs that wires of the fabric reach, and all its outputs."""
    tile_type, wires = builder.database.grid[tile]["type"], builder.site(tile, site).wires
    inputs, outputs = (set(builder.database.pins(tile_type, site, direction)) for direction in ("IN", "OUT"))
    ports: dict[str, dict[int, Net]] = {}
    for pin in sorted(inputs | outputs):  # so that the same bits give the same netlist, line by line
        if pin.startswith(_FACTORY):
            continue
        name, index = _vector(pin, wires)
        port = ports.setdefault(name, {})
        if pin in outputs:
            port[index] = f"PS7_{pin}"
        elif builder.routing.origin((tile, wires[pin])) is not None:
            port[index] = builder.input(tile, site, pin)
        else:
            port[index] = OPEN
    vectors = {
        name: bundle([nets[bit] for bit in sorted(nets)])
        for name, nets in sorted(ports.items())
        if set(nets.values()) != {OPEN}
    }
    builder.cell("PS7", "processor", {}, vectors)


def _vector(pin: str, pins: dict[str, str]) -> tuple[str, int]:
    """The port and the bit that a pin is: ``FCLKCLK2`` is bit 2 of FCLKCLK, since there is a FCLKCLK0."""
    found = re.fullmatch(r"(.*?)(\d+)", pin)
    return (found[1], int(found[2])) if found and found[1] + "0" in pins else (pin, 0)
