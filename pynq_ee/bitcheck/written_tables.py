"""Look-up tables that are written, as UG474 draws them: distributed memories and shift registers."""

from __future__ import annotations

from pynq_ee.bitcheck.netlist import HIGH, LOW, Net, bundle, constant
from pynq_ee.bitcheck.sites import Site

#: The letters of a slice's tables.
LETTERS = "ABCD"

#: Where the data of a letter's memory comes from when it has no pin of its own: DI of the letter named here.
_CHAIN = {"A": "B", "B": "D", "C": "D"}

#: Letters whose memory is written when the seventh, or the eighth bit of the write address is set.
_UPPER_7, _UPPER_8 = "AC", "AB"


class WrittenTables:
    """Those of one slice. Each method gives the signal's name, and has its cells made, once."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def among(self, letter: str) -> bool:
        """Whether a letter's table is one."""
        return not self._site.features.isdisjoint({f"{letter}LUT.SRL", f"{letter}LUT.RAM"})

    def output(self, letter: str, output: str) -> Net:
        """The signal at O6, which has the whole table, or O5, its lower half, whatever the sixth input.

        A small one is two of half the size: the upper takes DI2, which is the pin X, the lower DI1.
        """
        shifts, small = self._site.has(f"{letter}LUT.SRL"), self._site.has(f"{letter}LUT.SMALL")
        self._site.has(f"{letter}LUT.RAM")
        make = self._make_shift_register if shifts else self._make_memory
        name = f"{self._site.name}_{letter}_{output}"
        if not small:
            return self._site.once(name, lambda: make(name, letter, False, output == "O5"))
        lower, upper = f"{self._site.name}_{letter}_LOWER", f"{self._site.name}_{letter}_UPPER"
        if output == "O5":
            return self._site.once(lower, lambda: make(lower, letter, True, True))

        def select() -> None:
            sixth = self._site.input(f"{letter}6")
            if sixth != LOW:
                self._site.once(upper, lambda: make(upper, letter, True, False))
            if sixth != HIGH:
                self.output(letter, "O5")
            self._site.builder.wire(name, {HIGH: upper, LOW: lower}.get(sixth, f"{sixth} ? {upper} : {lower}"))

        return self._site.once(name, select)

    def _content(self, letter: str, small: bool, lower: bool) -> int:
        self._site.use_content(f"{letter}LUT.INIT")
        half = (1 << 32) - 1
        return (
            self._site.content(f"{letter}LUT.INIT") >> (0 if lower else 32) & half
            if small
            else self._site.content(f"{letter}LUT.INIT")
        )

    def _make_memory(self, name: Net, letter: str, small: bool, lower: bool) -> None:
        """One bit wide: written where D's inputs say, read where the letter's own say."""
        bits = 5 if small else 6
        ports = {f"A{bit}": self._site.input(f"D{bit + 1}") for bit in range(bits)}
        ports |= {f"DPRA{bit}": self._site.input(f"{letter}{bit + 1}") for bit in range(5)}
        if not small:
            ports["DPRA5"] = LOW if lower else self._site.input(f"{letter}6")
        ports |= {
            "D": self._site.input(f"{letter}X") if small and not lower else self._data(letter),
            "WCLK": self._site.input("CLK"),
            "WE": self._write_enable(letter),
            "DPO": name,
        }
        init = constant(self._content(letter, small, lower), 1 << bits)
        parameters = {"INIT": init, "IS_WCLK_INVERTED": f"1'b{int(self._site.has('CLKINV'))}"}
        self._site.builder.cell("RAM32X1D" if small else "RAM64X1D", f"{name}_RAM", parameters, ports)

    def _make_shift_register(self, name: Net, letter: str, small: bool, lower: bool) -> None:
        """Two bits of the table for each of its own, read where the inputs from the second on say."""
        content, size = self._content(letter, small, lower), 16 if small else 32
        every = (1 << 2 * size) - 1
        if content not in (0, every) or (lower and not small):
            self._site.problem(f"no model of the shift register {letter}: it begins with 0x{content:x}, or gives O5")
        address = [self._site.input(f"{letter}{number}") for number in range(2, 6 if small else 7)]
        ports = {f"A{bit}": net for bit, net in enumerate(address)} if small else {"A": bundle(address)}
        ports |= {
            "D": self._site.input(f"{letter}X") if small and not lower else self._data(letter),
            "CLK": self._site.input("CLK"),
            "CE": self._site.input("CE" if self._site.has("WEMUX.CE") else "WE"),
            "Q": name,
        }
        if not small:
            ports["Q31"] = f"{self._site.name}_{letter}_MC31"
        parameters = {
            "INIT": constant((1 << size) - 1 if content else 0, size),
            "IS_CLK_INVERTED": f"1'b{int(self._site.has('CLKINV'))}",
        }
        self._site.builder.cell("SRL16E" if small else "SRLC32E", f"{name}_SRL", parameters, ports)

    def last(self, letter: str) -> Net:
        """The last bit of a shift register of 32 bits."""
        if f"{letter}LUT.SRL" not in self._site.features or f"{letter}LUT.SMALL" in self._site.features:
            return self._site.problem(f"no model of MC31 of the look-up table {letter}")
        self.output(letter, "O6")
        return f"{self._site.name}_{letter}_MC31"

    def _data(self, letter: str) -> Net:
        """DI1: from the letter's own pin, or as a memory that of another letter, as a shift register its last bit."""
        if letter == "D" or self._site.has(f"{letter}LUT.DI1MUX.{letter}I"):
            return self._site.input(f"{letter}I")
        if f"{letter}LUT.SRL" in self._site.features:
            return self.last(LETTERS[LETTERS.index(letter) + 1])
        return self._data(_CHAIN[letter])

    def _write_enable(self, letter: str) -> Net:
        enable = self._site.input("CE" if self._site.has("WEMUX.CE") else "WE")
        terms = [enable]
        for feature, pin, upper in (("WA7USED", "CX", _UPPER_7), ("WA8USED", "BX", _UPPER_8)):
            if self._site.has(feature):
                terms.append(("" if letter in upper else "!") + self._site.input(pin))
        if len(terms) == 1:
            return enable
        name = f"{self._site.name}_{letter}_WE"
        self._site.builder.wire(name, " && ".join(terms))
        return name
