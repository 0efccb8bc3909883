"""Clock buffers, as UG472 has them. One that is always enabled is a wire; another use has no model here."""

from __future__ import annotations

from pynq_ee.bitcheck.netlist import HIGH, LOW, OPEN, Builder, Net


class _Buffer:
    """A site as it is set; ``ZINV_X`` says that the input X is not inverted."""

    kind = ""

    def __init__(self, builder: Builder, tile: str, site: int) -> None:
        self._builder, self._tile, self._site = builder, tile, site
        place = builder.site(tile, site)
        self._prefix = f"{self.kind}.{self.kind}_X{place.x}Y{place.y}."
        self._features = builder.features(tile, self._prefix)
        for feature in self._features:
            builder.use(tile, self._prefix + feature)

    def _is(self, pin: str, value: Net) -> bool:
        """Whether an input is constant, its inversion counted."""
        net = self._builder.input(self._tile, self._site, pin)
        if f"ZINV_{pin}" not in self._features:
            net = {LOW: HIGH, HIGH: LOW}.get(net, net)
        return net == value

    def _passes(self, pin: str) -> Net:
        return self._builder.input(self._tile, self._site, pin)

    def _no_model(self, why: str) -> Net:
        self._builder.problem(f"{self._tile}, {self._prefix[:-1]}: no model of this clock buffer, {why}")
        return OPEN


class RowBuffer(_Buffer):
    """BUFHCE: into one row of one half of the device."""

    kind = "BUFHCE"

    def output(self, pin: str) -> Net:
        """The clock."""
        if "IN_USE" not in self._features:
            return self._no_model("it is not in use")
        return self._passes("I") if self._is("CE", HIGH) else self._no_model("CE is not constantly high")


class GlobalBuffer(_Buffer):
    """BUFGCTRL: the trunk of a clock. Its first input passes where it alone is selected and enabled for ever."""

    kind = "BUFGCTRL"
    _name = ""

    def output(self, pin: str) -> Net:
        """The clock."""
        if self._name:
            return self._name
        if "IN_USE" not in self._features:
            return self._no_model("it is not in use")
        for first, second in (("0", "1"), ("1", "0")):
            on = self._is(f"CE{first}", HIGH) and self._is(f"S{first}", HIGH)
            if on and (self._is(f"CE{second}", LOW) or self._is(f"S{second}", LOW)):
                self._name = f"{self._tile}_{self._prefix[len(self.kind) + 1 : -1]}"
                ports = {"I": self._passes(f"I{first}"), "O": self._name}
                self._builder.cell("BUFG", f"{self._name}_BUFFER", {}, ports)
                return self._name
        return self._no_model("no input is selected and enabled for ever")
