"""Block RAMs, as UG473 has them: each tile has two of 18 Kbit, and one of 36 Kbit is both of them side by side."""

from __future__ import annotations

from pynq_ee.bitcheck.netlist import HIGH, LOW, Builder, Net, bundle, constant
from pynq_ee.bitcheck.sites import Site

_WIDTHS = ("2", "4", "9", "18")
_INVERTIBLE = (
    *("CLKARDCLK", "CLKBWRCLK", "ENARDEN", "ENBWREN"),
    *("RSTRAMARSTRAM", "RSTRAMB", "RSTREGARSTREG", "RSTREGB"),
)
#: Features of the tile that make the two halves more than memories side by side.
_TOGETHER = (
    *("EN_SYN", "FIRST_WORD_FALL_THROUGH"),
    *("RAMB36.EN_ECC_READ", "RAMB36.EN_ECC_WRITE", "RAMB36.RAM_EXTENSION_ALOWER", "RAMB36.RAM_EXTENSION_BLOWER"),
    *(f"RAMB36.BRAM36_{side}_WIDTH_{port}_1" for side in ("READ", "WRITE") for port in "AB"),
)
#: Those that give the addresses to the tile above as well; whether that takes them is said by its switches.
_HARMLESS = ("CASCOUT_ARD_ACTIVE", "CASCOUT_BWR_ACTIVE")


class BlockRam:
    """One half of a tile, as it is set, as a RAMB18E1. The lower half's site is called after its second use, a FIFO.

    Parameters
    ----------
    builder
        Whose netlist the cell goes to.
    tile, site
        Where the half is.
    """

    def __init__(self, builder: Builder, tile: str, site: int) -> None:
        place = builder.site(tile, site)
        self._site = Site(builder, tile, site, "RAMB18", f"Y{place.y}")
        # The wires have the memory's names of the pins, in either half: BRAM_FIFO18_DIADI0, BRAM_RAMB18_DIADI0.
        self._pins = {wire.split("_", 2)[2]: pin for pin, wire in place.wires.items()}
        self._names = {pin: name for name, pin in self._pins.items()}

    def output(self, pin: str) -> Net:
        """The signal at a pin."""
        self._site.once(self._site.name, self._make)
        if not self._names[pin].startswith(("DOADO", "DOBDO", "DOPADOP", "DOPBDOP")):
            self._site.problem(f"no model of the output {pin}")
        return f"{self._site.name}_{self._names[pin]}"

    def _make(self) -> None:
        whole = self._site.builder.features(self._site.tile, "")
        for feature in _TOGETHER:
            if feature in whole:
                self._site.problem(f"no model of {feature}")
        if "FIFO_MODE" in self._site.features or "IN_USE" not in self._site.features:
            self._site.problem("no model of a FIFO" if "FIFO_MODE" in self._site.features else "it is not in use")
        for feature in (*_HARMLESS, *(self._site.prefix + feature for feature in self._site.features)):
            self._site.builder.use(self._site.tile, feature)
        wide_read, wide_write = (f"SDP_{side}_WIDTH_36" in self._site.features for side in ("READ", "WRITE"))
        simple = wide_read or wide_write
        parameters = {
            "RAM_MODE": '"SDP"' if simple else '"TDP"',
            "READ_WIDTH_A": "36" if wide_read else self._width("READ_WIDTH_A"),
            "READ_WIDTH_B": "0" if simple else self._width("READ_WIDTH_B"),
            "WRITE_WIDTH_A": "0" if simple else self._width("WRITE_WIDTH_A"),
            "WRITE_WIDTH_B": "36" if wide_write else self._width("WRITE_WIDTH_B"),
            "DOA_REG": str(int("DOA_REG" in self._site.features)),
            "DOB_REG": str(int("DOB_REG" in self._site.features)),
        }
        for port in "AB":
            parameters[f"WRITE_MODE_{port}"] = self._mode(f"WRITE_MODE_{port}")
            for value in ("INIT", "SRVAL"):  # a feature says that a bit is 0
                bits = (f"Z{value}_{port}[{bit}]" not in self._site.features for bit in range(18))
                parameters[f"{value}_{port}"] = constant(sum(on << bit for bit, on in enumerate(bits)), 18)
        for begin, lines in (("INIT", 64), ("INITP", 8)):
            for line in range(lines):
                if content := self._site.content(f"{begin}_{line:02X}"):
                    parameters[f"{begin}_{line:02X}"] = constant(content, 256)
        self._site.builder.cell("RAMB18E1", f"{self._site.name}_RAM", parameters, self._ports())

    def _ports(self) -> dict[str, Net]:
        vectors = {"ADDRARDADDR": 14, "ADDRBWRADDR": 14, "DIADI": 16, "DIBDI": 16, "DIPADIP": 2, "DIPBDIP": 2}
        ports = {name: self._input(name) for name in ("REGCEAREGCE", "REGCEB")}
        ports |= {name: self._inverted(name) for name in _INVERTIBLE}
        ports |= {name: bundle([self._input(f"{name}{bit}") for bit in range(size)]) for name, size in vectors.items()}
        # Each enable of a byte has two pins, for the nibbles that a memory of 36 Kbit has of a byte in each half.
        for name, size in (("WEA", 2), ("WEBWE", 4)):
            pairs = [[self._input(f"{name}{2 * byte + half}") for half in range(2)] for byte in range(size)]
            if any(first != second for first, second in pairs):
                self._site.problem(f"no model of half a byte written ({name})")
            ports[name] = bundle([first for first, _ in pairs])
        for name, size in {"DOADO": 16, "DOBDO": 16, "DOPADOP": 2, "DOPBDOP": 2}.items():
            ports[name] = bundle([f"{self._site.name}_{name}{bit}" for bit in range(size)])
        return ports

    def _input(self, name: str) -> Net:
        return self._site.input(self._pins[name])

    def _inverted(self, name: str) -> Net:
        """An input, inverted unless a feature says that it is not."""
        net = self._input(name)
        if f"ZINV_{name}" in self._site.features:
            return net
        if net in (LOW, HIGH):
            return LOW if net == HIGH else HIGH
        self._site.builder.wire(f"{self._site.name}_{name}", f"!{net}")
        return f"{self._site.name}_{name}"

    def _width(self, name: str) -> str:
        found = [width for width in _WIDTHS if f"{name}_{width}" in self._site.features]
        return found[0] if found else "1"

    def _mode(self, name: str) -> str:
        found = [mode for mode in ("NO_CHANGE", "READ_FIRST") if f"{name}_{mode}" in self._site.features]
        return f'"{found[0] if found else "WRITE_FIRST"}"'
