"""The whole way from a bitstream to its netlist, with what was found on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pynq_ee.bitcheck import block_rams, clocks, features, frames, nodes, packets, processor, slices
from pynq_ee.bitcheck.database import Database
from pynq_ee.bitcheck.netlist import HIGH, LOW, Builder, Decoder, Net, Netlist
from pynq_ee.bitcheck.routing import Routing, is_switch
from pynq_ee.errors import InputError

#: What is told before a step, and how many steps there are.
Progress = Callable[[str], None]
STEPS = 6


class _TieOff:
    """The constants of a switch box."""

    def __init__(self, builder: Builder, tile: str, site: int) -> None:
        pass

    def output(self, pin: str) -> Net:
        return HIGH if pin == "HARD1" else LOW


_DECODERS: dict[str, Callable[[Builder, str, int], Decoder]] = {
    "TIEOFF": _TieOff,
    "SLICEL": slices.Slice,
    "SLICEM": slices.Slice,
    "FIFO18E1": block_rams.BlockRam,
    "RAMB18E1": block_rams.BlockRam,
    "BUFGCTRL": clocks.GlobalBuffer,
    "BUFHCE": clocks.RowBuffer,
    "PS7": processor.Processor,
}


@dataclass
class Findings:
    """What was found in a bitstream.

    Attributes
    ----------
    part
        Of the database, that the file is for.
    checksums
        That the file carries, all right.
    frames
        Of the device; ``wrong_codes`` of them have another error-correcting code than that of their bits.
    bits
        That are set, error-correcting codes not counted.
    unknown
        Bits that belong to no feature, in words.
    features, switches
        How many are set; switches are counted apart.
    undriven
        Wires that a switch drives with what nothing drives, in words.
    fights
        Nodes with more than one driver, in words.
    problems
        Sinks without a driver, clocks that are not enabled, and uses that have no model here, in words.
    cells
        Of the netlist, by their type.
    unused
        Features that are set and make nothing that reaches the processor, by the type of tile; what enables clocks is
        not counted.
    """

    part: str = ""
    checksums: int = 0
    frames: int = 0
    wrong_codes: int = 0
    bits: int = 0
    unknown: list[str] = field(default_factory=list)
    features: int = 0
    switches: int = 0
    undriven: list[str] = field(default_factory=list)
    fights: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    cells: dict[str, int] = field(default_factory=dict)
    unused: dict[str, int] = field(default_factory=dict)

    @property
    def faults(self) -> list[str]:
        """Everything that is not as it is in a circuit, in words; empty where the file is one."""
        codes = [f"{self.wrong_codes} frames whose error-correcting code is not that of their bits"]
        return [*(codes if self.wrong_codes else ()), *self.unknown, *self.fights, *self.undriven, *self.problems]


def check(data: bytes, folder: Path, progress: Progress = lambda step: None) -> tuple[Findings, Netlist]:
    """Read a bitstream back.

    Parameters
    ----------
    data
        The file's bytes, ``.bit`` or ``.bin``.
    folder
        The database of the family, in prjxray's format.
    progress
        Called with the name of each of ``STEPS`` steps before it.

    Raises
    ------
    InputError
        The file is no whole bitstream, or for a device that the database does not know.
    DataError
        The database is not whole.
    """
    progress("packets")
    configuration = packets.read(data)
    if configuration.idcode is None:
        raise InputError("the bitstream asks for no device (IDCODE); partial ones are not checked")
    progress("frames")
    database = Database(folder, configuration.idcode, configuration.part)
    order = frames.addresses(database.part_data)
    bits = frames.arrange(order, configuration.frames)
    found = Findings(part=database.part, checksums=configuration.checksums, wrong_codes=len(frames.wrong_codes(bits)))
    found.frames = sum(address >= 0 for address in order)
    progress("features")
    decoded = features.decode(database, order, bits)
    found.bits = decoded.bits
    found.unknown = [
        f"no feature has bit {bit} of word {word} of frame 0x{at:08x}" for at, word, bit in decoded.unknown
    ]
    counted = Counter(
        is_switch(database, tile, feature) for tile, features_ in decoded.features.items() for feature in features_
    )
    found.switches, found.features = counted[True], counted[False]
    progress("wires")
    routing = Routing(database, decoded, nodes.load(database))
    progress("switches")
    found.undriven = [
        "/".join(wire) + " is switched to what nothing drives" for wire, pin in routing.check() if not pin
    ]
    progress("cells")
    builder = Builder(database, decoded, routing, _DECODERS)
    for tile, place in database.grid.items():
        for index, site in enumerate(database.tile_type(place["type"]).sites if place["sites"] else ()):
            if site.type == "PS7":
                processor.add(builder, tile, index)
    netlist = builder.finish()
    found.fights, found.problems = routing.fights, [*clocks.disabled(decoded), *netlist.problems]
    found.cells, found.unused = netlist.counts(), builder.unused(clocks.enables)
    return found, netlist
