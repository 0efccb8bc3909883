"""The circuit: cells and wires that reach an input of the processor, found from there backwards."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from pynq_ee.bitcheck.database import Database, Site
from pynq_ee.bitcheck.features import Decoded
from pynq_ee.bitcheck.routing import Pin, Routing, is_switch

#: A signal as Verilog writes it: a name, or a constant.
Net = str

LOW, HIGH, OPEN = "1'b0", "1'b1", "1'bx"


class Cell(NamedTuple):
    """An instance of a module; parameters and ports as Verilog writes them."""

    type: str
    name: str
    parameters: dict[str, str]
    ports: dict[str, Net]


@dataclass
class Netlist:
    """Cells, signals that are others' or a small expression of them, and what is not as it should be.

    Attributes
    ----------
    problems
        A sink without a driver, a use that has no model here, in words; empty in a circuit.
    """

    cells: list[Cell] = field(default_factory=list)
    assigned: dict[Net, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """How many cells there are of each type."""
        return dict(sorted(Counter(cell.type for cell in self.cells).items()))


class Decoder(Protocol):
    """One site, as it is set."""

    def output(self, pin: str) -> Net:
        """The signal at an output, whose cells are made, or promised to be made later."""


class Builder:
    """Makes a netlist of what features and wires say; what each kind of site is stands in the site's own file.

    Parameters
    ----------
    database, decoded, routing
        The device, what is set, and how it is wired.
    decoders
        What reads a site, by the site's type; called with the builder, the tile, and the site's index.
    """

    def __init__(
        self,
        database: Database,
        decoded: Decoded,
        routing: Routing,
        decoders: Mapping[str, Callable[[Builder, str, int], Decoder]],
    ) -> None:
        self.database, self.routing, self._decoders = database, routing, decoders
        self.netlist = Netlist()
        self._features = decoded.features
        self._used: dict[str, set[str]] = {}
        self._sites: dict[tuple[str, int], Decoder] = {}
        self._left: deque[Callable[[], None]] = deque()
        self._last: list[Callable[[], None]] = []

    def finish(self) -> Netlist:
        """The circuit behind everything that has been asked for."""
        while self._left:
            self._left.popleft()()
        for task in self._last:
            task()
        return self.netlist

    def later(self, task: Callable[[], None]) -> None:
        """Do something after what is being done; so cells may follow each other however many they are."""
        self._left.append(task)

    def at_end(self, task: Callable[[], None]) -> None:
        """Do something when all else has been made; it may add cells, and ask for no more."""
        self._last.append(task)

    def features(self, tile: str, prefix: str) -> set[str]:
        """Features of a tile that begin so, without the beginning."""
        return {feature[len(prefix) :] for feature in self._features.get(tile, ()) if feature.startswith(prefix)}

    def use(self, tile: str, feature: str) -> None:
        """Count a feature as one that the netlist has."""
        self._used.setdefault(tile, set()).add(feature)

    def unused(self, passed_over: Callable[[str], bool]) -> dict[str, int]:
        """Features that are set and not in the netlist, by the type of tile; switches and others are passed over."""
        found: Counter[str] = Counter()
        for tile, features in self._features.items():
            used = self._used.get(tile, set())
            found[self.database.grid[tile]["type"]] += sum(
                not (feature in used or passed_over(feature) or is_switch(self.database, tile, feature))
                for feature in features
            )
        return dict(sorted((+found).items()))

    def site(self, tile: str, index: int) -> Site:
        """A site of a tile."""
        return self.database.tile_type(self.database.grid[tile]["type"]).sites[index]

    def problem(self, text: str) -> None:
        """Note what is not as it should be."""
        self.netlist.problems.append(text)

    def input(self, tile: str, site: int, pin: str) -> Net:
        """The signal at an input of a site."""
        wire = self.site(tile, site).wires[pin]
        origin = self.routing.origin((tile, wire))
        if origin is None:
            self.problem(f"nothing drives {tile}/{wire}, the pin {pin} of a site in use")
            return OPEN
        return self.output(origin)

    def output(self, origin: Pin) -> Net:
        """The signal at an output of a site."""
        key = (origin.tile, origin.site)
        if key not in self._sites:
            type_ = self.site(*key).type
            if type_ not in self._decoders:
                self.problem(f"{origin.tile}: a {type_} drives the circuit, and there is no model of one here")
                return OPEN
            self._sites[key] = self._decoders[type_](self, *key)
        return self._sites[key].output(origin.pin)

    def wire(self, name: Net, expression: str) -> None:
        """Let a signal be another, or a small expression."""
        self.netlist.assigned[name] = expression

    def cell(self, type_: str, name: str, parameters: dict[str, str], ports: dict[str, Net]) -> None:
        """Add an instance."""
        self.netlist.cells.append(Cell(type_, name, parameters, ports))


def bundle(nets: Sequence[Net]) -> str:
    """Signals as a vector of Verilog; the first is the lowest bit."""
    return "{" + ", ".join(reversed(nets)) + "}"


def constant(value: int, bits: int) -> str:
    """A constant of Verilog."""
    return f"{bits}'h{value:0{(bits + 3) // 4}x}"
