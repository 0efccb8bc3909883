"""Clock buffers, as UG472 has them. One that is always enabled is a wire; another use has no model here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pynq_ee.bitcheck.features import Decoded
from pynq_ee.bitcheck.netlist import HIGH, LOW, OPEN, Builder, Net

#: Switches of clocks, and what is set in the same tile in every bitstream of Vivado that was looked at: that the wire,
#: or the piece of the trunk on either side, is enabled. The database does not tell that they belong together.
_ENABLED = (
    (r"HCLK_LEAF_CLK_B_\w+\.(HCLK_CK_BUFHCLK\d+)", (r"ENABLE_BUFFER.\1",)),
    (r"CLK_HROW_CK_MUX_OUT_[LR]\d+\.(CLK_HROW_R_CK_GCLK\d+)", (r"\1_ACTIVE",)),
    (r"CLK_HROW_\w+_CK_BUFG_CASCO\d+\.(CLK_HROW_CK_IN_[LR]\d+)", (r"\1_ACTIVE",)),
    (r"CLK_BUFG_REBUF_R_CK_(GCLK\d+)_\w+\.\w+", (r"\1_ENABLE_ABOVE", r"\1_ENABLE_BELOW")),
)

_ENABLES = re.compile(r"ENABLE_BUFFER\..+|.+_ACTIVE|.+_ENABLE_(ABOVE|BELOW)|.+_USED")


def enables(feature: str) -> bool:
    """Whether a feature enables a clock, and makes no part of the circuit."""
    return _ENABLES.fullmatch(feature) is not None


def disabled(decoded: Decoded) -> Iterator[str]:
    """Clocks that are switched to somewhere and not enabled there, in words."""
    for tile, features in decoded.features.items():
        for feature in sorted(features):
            for pattern, needed in _ENABLED:
                if found := re.fullmatch(pattern, feature):
                    missing = [name for name in map(found.expand, needed) if name not in features]
                    yield from (f"{tile}/{feature} is on, and {name} is not set" for name in missing)


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
