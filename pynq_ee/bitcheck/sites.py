"""A site as it is set: what all that is made of one asks of the netlist."""

from __future__ import annotations

from collections.abc import Callable

from pynq_ee.bitcheck.netlist import OPEN, Builder, Net


class Site:
    """The features of a site, its inputs, and the cells that go to a netlist in its name.

    Parameters
    ----------
    builder
        Whose netlist that is.
    tile, number
        Where the site is.
    kind
        What the features call it, without its place: ``SLICEL``.
    place
        ``X0``, or ``Y1``: what tells it from the others of its tile.
    """

    def __init__(self, builder: Builder, tile: str, number: int, kind: str, place: str) -> None:
        self.builder, self.tile = builder, tile
        self.prefix = f"{kind}_{place}."
        self.name = f"{tile}_{place}"
        self.features = builder.features(tile, self.prefix)
        self._number = number
        self._made: set[Net] = set()

    def has(self, feature: str) -> bool:
        """Whether a feature is set; it is used then."""
        if feature in self.features:
            self.builder.use(self.tile, self.prefix + feature)
            return True
        return False

    def input(self, pin: str) -> Net:
        """The signal at an input pin."""
        return self.builder.input(self.tile, self._number, pin)

    def content(self, name: str) -> int:
        """The number whose bits are the features ``name[0]``, ``name[1]``, .."""
        begin = f"{name}["
        return sum(1 << int(feature[len(begin) : -1]) for feature in self.features if feature.startswith(begin))

    def use_content(self, name: str) -> None:
        """Count the features of ``content`` as used."""
        for feature in self.features:
            if feature.startswith(f"{name}["):
                self.has(feature)

    def once(self, name: Net, make: Callable[[], None]) -> Net:
        """The signal of a name, for which ``make`` is called later, once."""
        if name not in self._made:
            self._made.add(name)
            self.builder.later(make)
        return name

    def problem(self, text: str) -> Net:
        """Tell a use that has no model; the signal is then open."""
        self.builder.problem(f"{self.tile}, {self.prefix[:-1]}: {text}")
        return OPEN
