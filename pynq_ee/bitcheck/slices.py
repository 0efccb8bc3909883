"""Slices: look-up tables, flip-flops, carries, wide multiplexers and distributed memory, as UG474 draws them.

Features are named as in prjxray's database: of the letters A to D, ``AFFMUX.XOR`` is what the flip-flop takes,
``AOUTMUX.O5`` what the pin AMUX gives, ``CARRY4.ACY0`` that the carry's data is O5 and not the pin AX.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pynq_ee.bitcheck.netlist import HIGH, LOW, OPEN, Builder, Net, bundle, constant

LETTERS = "ABCD"

#: Where the data of a letter's memory comes from when it has no pin of its own: DI of the letter named here.
_CHAIN = {"A": "B", "B": "D", "C": "D"}

#: Letters whose memory is written when the seventh, or the eighth bit of the write address is set.
_UPPER_7, _UPPER_8 = "AC", "AB"


class Slice:
    """One slice as it is set. Each method gives the signal's name, and has its cells made, once.

    Parameters
    ----------
    builder
        Whose netlist the cells go to.
    tile, site
        Where the slice is.
    """

    def __init__(self, builder: Builder, tile: str, site: int) -> None:
        self._builder, self._tile, self._site = builder, tile, site
        kind = builder.site(tile, site)
        self._prefix = f"{kind.type}_X{kind.x}."
        self._name = f"{tile}_X{kind.x}"
        self._features = builder.features(tile, self._prefix)
        self._made: set[Net] = set()
        self._carries: list[tuple[Net, Net]] = []  # S and DI of those of the four that are used
        self._begin: dict[str, Net] = {}
        self._tables = {letter: self._table(letter) for letter in LETTERS}

    def output(self, pin: str) -> Net:
        """The signal at an output pin."""
        letter, kind = pin[0], pin[1:]
        if pin == "COUT":
            return self._carry("CO", "D")
        if not kind:
            return self._o6(letter)
        if kind == "Q":
            return self._flip_flop(letter)
        return self._chosen(f"{letter}OUTMUX", letter)

    def _table(self, letter: str) -> int:
        begin = f"{letter}LUT.INIT["
        return sum(1 << int(feature[len(begin) : -1]) for feature in self._features if feature.startswith(begin))

    def _has(self, feature: str) -> bool:
        if feature in self._features:
            self._builder.use(self._tile, self._prefix + feature)
            return True
        return False

    def _input(self, pin: str) -> Net:
        return self._builder.input(self._tile, self._site, pin)

    def _once(self, name: Net, make: Callable[[], None]) -> Net:
        if name not in self._made:
            self._made.add(name)
            self._builder.later(make)
        return name

    def _problem(self, text: str) -> Net:
        self._builder.problem(f"{self._tile}, slice {self._prefix[:-1]}: {text}")
        return OPEN

    def _chosen(self, multiplexer: str, letter: str) -> Net:
        """What a multiplexer before a flip-flop, or before an output, takes."""
        begin = f"{multiplexer}."
        choices = [feature[len(begin) :] for feature in self._features if feature.startswith(begin)]
        if len(choices) != 1:
            return self._problem(f"{multiplexer} takes {' and '.join(sorted(choices)) or 'nothing'}")
        (choice,) = choices
        self._has(begin + choice)
        sources: dict[str, Callable[[], Net]] = {
            "O6": lambda: self._o6(letter),
            "O5": lambda: self._o5(letter),
            "CY": lambda: self._carry("CO", letter),
            "XOR": lambda: self._carry("O", letter),
            "F7": lambda: self._f7(letter),
            "F8": self._f8,
            f"{letter}5Q": lambda: self._flip_flop(letter, "5"),
            f"{letter}X": lambda: self._input(f"{letter}X"),
            "MC31": lambda: self._last("A"),
        }
        return sources[choice]() if choice in sources else self._problem(f"no model of {multiplexer}.{choice}")

    # Look-up tables ---------------------------------------------------------------------------------------------------

    def _o6(self, letter: str) -> Net:
        if f"{letter}LUT.SRL" in self._features or f"{letter}LUT.RAM" in self._features:
            return self._written(letter, "O6")
        name = f"{self._name}_{letter}_O6"
        return self._once(name, lambda: self._look_up(name, letter, 6))

    def _o5(self, letter: str) -> Net:
        if f"{letter}LUT.SRL" in self._features or f"{letter}LUT.RAM" in self._features:
            return self._written(letter, "O5")
        name = f"{self._name}_{letter}_O5"
        return self._once(name, lambda: self._look_up(name, letter, 5))

    def _look_up(self, name: Net, letter: str, inputs: int) -> None:
        """A table of as many inputs as it depends on, constants not counted."""
        self._has_table(letter)
        numbers = list(range(1, inputs + 1))
        table, numbers = reduced(self._tables[letter] & (1 << (1 << inputs)) - 1, numbers, {})
        nets = {number: self._input(f"{letter}{number}") for number in numbers}
        table, numbers = reduced(table, numbers, {number: net for number, net in nets.items() if net in (LOW, HIGH)})
        if not numbers:
            self._builder.wire(name, HIGH if table else LOW)
        elif len(numbers) == 1 and table == 0b10:
            self._builder.wire(name, nets[numbers[0]])
        else:
            ports = {f"I{index}": nets[number] for index, number in enumerate(numbers)} | {"O": name}
            init = {"INIT": constant(table, 1 << len(numbers))}
            self._builder.cell(f"LUT{len(numbers)}", f"{name}_LUT", init, ports)

    def _has_table(self, letter: str) -> None:
        for feature in self._features:
            if feature.startswith(f"{letter}LUT.INIT["):
                self._has(feature)

    def _f7(self, letter: str) -> Net:
        """The multiplexer of A and B, or of C and D: the second letter's table where the select is low."""
        name = f"{self._name}_F7{letter}MUX"

        def make() -> None:
            low, high = self._o6(LETTERS[LETTERS.index(letter) + 1]), self._o6(letter)
            ports = {"I0": low, "I1": high, "S": self._input(f"{letter}X"), "O": name}
            self._builder.cell("MUXF7", f"{name}_MUX", {}, ports)

        return self._once(name, make)

    def _f8(self) -> Net:
        name = f"{self._name}_F8MUX"

        def make() -> None:
            ports = {"I0": self._f7("C"), "I1": self._f7("A"), "S": self._input("BX"), "O": name}
            self._builder.cell("MUXF8", f"{name}_MUX", {}, ports)

        return self._once(name, make)

    # Flip-flops -------------------------------------------------------------------------------------------------------

    def _flip_flop(self, letter: str, five: str = "") -> Net:
        name = f"{self._name}_{letter}{five}Q"
        return self._once(name, lambda: self._make_flip_flop(name, letter, five))

    def _make_flip_flop(self, name: Net, letter: str, five: str) -> None:
        if self._has("LATCH"):
            self._problem("no model of a latch")
            return
        if not five:
            data = self._chosen(f"{letter}FFMUX", letter)
        elif self._has(f"{letter}5FFMUX.IN_A") != self._has(f"{letter}5FFMUX.IN_B"):
            data = self._o5(letter) if self._has(f"{letter}5FFMUX.IN_A") else self._input(f"{letter}X")
        else:
            data = self._problem(f"{letter}5FFMUX does not take one of two")
        # The features say what is not: Z for the opposite of the value at the start, and after the reset.
        initial, after_reset = (0 if self._has(f"{letter}{five}FF.{bit}") else 1 for bit in ("ZINI", "ZRST"))
        type_, reset = {
            (True, 0): ("FDRE", "R"),
            (True, 1): ("FDSE", "S"),
            (False, 0): ("FDCE", "CLR"),
            (False, 1): ("FDPE", "PRE"),
        }[self._has("FFSYNC"), after_reset]
        ports = {
            "C": self._input("CLK"),
            "CE": self._input("CE") if self._has("CEUSEDMUX") else HIGH,
            reset: self._input("SR") if self._has("SRUSEDMUX") else LOW,
            "D": data,
            "Q": name,
        }
        parameters = {"INIT": f"1'b{initial}", "IS_C_INVERTED": f"1'b{int(self._has('CLKINV'))}"}
        self._builder.cell(type_, f"{name}_FF", parameters, ports)

    # Carries ----------------------------------------------------------------------------------------------------------

    def _carry(self, output: str, letter: str) -> Net:
        """A bit of CO or O. What stands above the highest one that is asked for is not looked at."""
        if not self._carries:
            self._builder.later(self._carry_in)
            self._builder.at_end(self._make_carry)
        place = LETTERS.index(letter)
        while len(self._carries) <= place:
            self._carries.append((LOW, LOW))
            self._builder.later(partial(self._carry_inputs, len(self._carries) - 1))
        return f"{self._name}_{output}{place}"

    def _carry_in(self) -> None:
        if self._has("PRECYINIT.CIN"):
            self._begin = {"CI": self._input("CIN"), "CYINIT": LOW}
        elif self._has("PRECYINIT.AX"):
            self._begin = {"CI": LOW, "CYINIT": self._input("AX")}
        else:
            self._begin = {"CI": LOW, "CYINIT": HIGH if self._has("PRECYINIT.C1") else LOW}

    def _carry_inputs(self, place: int) -> None:
        letter = LETTERS[place]
        data = self._o5(letter) if self._has(f"CARRY4.{letter}CY0") else self._input(f"{letter}X")
        self._carries[place] = self._o6(letter), data

    def _make_carry(self) -> None:
        inputs = self._carries + [(LOW, LOW)] * (4 - len(self._carries))
        ports = dict(self._begin)
        ports["S"], ports["DI"] = (bundle([pair[side] for pair in inputs]) for side in (0, 1))
        ports |= {output: bundle([f"{self._name}_{output}{place}" for place in range(4)]) for output in ("CO", "O")}
        self._builder.cell("CARRY4", f"{self._name}_CARRY4", {}, ports)

    # Tables that are written: memories and shift registers ------------------------------------------------------------

    def _written(self, letter: str, output: str) -> Net:
        """O6 has the whole table, O5 its lower half, whatever the sixth input.

        A small one is two of half the size: the upper takes DI2, which is the pin X, the lower DI1.
        """
        shifts, small = self._has(f"{letter}LUT.SRL"), self._has(f"{letter}LUT.SMALL")
        self._has(f"{letter}LUT.RAM")
        make = self._make_shift_register if shifts else self._make_memory
        name = f"{self._name}_{letter}_{output}"
        if not small:
            return self._once(name, lambda: make(name, letter, False, output == "O5"))
        lower, upper = f"{self._name}_{letter}_LOWER", f"{self._name}_{letter}_UPPER"
        if output == "O5":
            return self._once(lower, lambda: make(lower, letter, True, True))

        def select() -> None:
            sixth = self._input(f"{letter}6")
            if sixth != LOW:
                self._once(upper, lambda: make(upper, letter, True, False))
            if sixth != HIGH:
                self._written(letter, "O5")
            self._builder.wire(name, {HIGH: upper, LOW: lower}.get(sixth, f"{sixth} ? {upper} : {lower}"))

        return self._once(name, select)

    def _content(self, letter: str, small: bool, lower: bool) -> int:
        self._has_table(letter)
        half = (1 << 32) - 1
        return self._tables[letter] >> (0 if lower else 32) & half if small else self._tables[letter]

    def _make_memory(self, name: Net, letter: str, small: bool, lower: bool) -> None:
        """One bit wide: written where D's inputs say, read where the letter's own say."""
        bits = 5 if small else 6
        ports = {f"A{bit}": self._input(f"D{bit + 1}") for bit in range(bits)}
        ports |= {f"DPRA{bit}": self._input(f"{letter}{bit + 1}") for bit in range(5)}
        if not small:
            ports["DPRA5"] = LOW if lower else self._input(f"{letter}6")
        ports |= {
            "D": self._input(f"{letter}X") if small and not lower else self._data(letter),
            "WCLK": self._input("CLK"),
            "WE": self._write_enable(letter),
            "DPO": name,
        }
        init = constant(self._content(letter, small, lower), 1 << bits)
        parameters = {"INIT": init, "IS_WCLK_INVERTED": f"1'b{int(self._has('CLKINV'))}"}
        self._builder.cell("RAM32X1D" if small else "RAM64X1D", f"{name}_RAM", parameters, ports)

    def _make_shift_register(self, name: Net, letter: str, small: bool, lower: bool) -> None:
        """Two bits of the table for each of its own, read where the inputs from the second on say."""
        content, size = self._content(letter, small, lower), 16 if small else 32
        every = (1 << 2 * size) - 1
        if content not in (0, every) or (lower and not small):
            self._problem(f"no model of the shift register {letter}: it begins with 0x{content:x}, or gives O5")
        address = [self._input(f"{letter}{number}") for number in range(2, 6 if small else 7)]
        ports = {f"A{bit}": net for bit, net in enumerate(address)} if small else {"A": bundle(address)}
        ports |= {
            "D": self._input(f"{letter}X") if small and not lower else self._data(letter),
            "CLK": self._input("CLK"),
            "CE": self._input("CE" if self._has("WEMUX.CE") else "WE"),
            "Q": name,
        }
        if not small:
            ports["Q31"] = f"{self._name}_{letter}_MC31"
        parameters = {
            "INIT": constant((1 << size) - 1 if content else 0, size),
            "IS_CLK_INVERTED": f"1'b{int(self._has('CLKINV'))}",
        }
        self._builder.cell("SRL16E" if small else "SRLC32E", f"{name}_SRL", parameters, ports)

    def _last(self, letter: str) -> Net:
        """The last bit of a shift register of 32 bits."""
        if f"{letter}LUT.SRL" not in self._features or f"{letter}LUT.SMALL" in self._features:
            return self._problem(f"no model of MC31 of the look-up table {letter}")
        self._written(letter, "O6")
        return f"{self._name}_{letter}_MC31"

    def _data(self, letter: str) -> Net:
        """DI1: from the letter's own pin, or as a memory that of another letter, as a shift register its last bit."""
        if letter == "D" or self._has(f"{letter}LUT.DI1MUX.{letter}I"):
            return self._input(f"{letter}I")
        if f"{letter}LUT.SRL" in self._features:
            return self._last(LETTERS[LETTERS.index(letter) + 1])
        return self._data(_CHAIN[letter])

    def _write_enable(self, letter: str) -> Net:
        enable = self._input("CE" if self._has("WEMUX.CE") else "WE")
        terms = [enable]
        for feature, pin, upper in (("WA7USED", "CX", _UPPER_7), ("WA8USED", "BX", _UPPER_8)):
            if self._has(feature):
                terms.append(("" if letter in upper else "!") + self._input(pin))
        if len(terms) == 1:
            return enable
        name = f"{self._name}_{letter}_WE"
        self._builder.wire(name, " && ".join(terms))
        return name


def reduced(table: int, inputs: list[int], fixed: dict[int, Net]) -> tuple[int, list[int]]:
    """A table, with inputs that are constant put in, and without those that it does not depend on.

    Parameters
    ----------
    table
        Bit ``n`` is the output where the inputs, the first one lowest, are the number ``n``.
    inputs
        Names of the inputs.
    fixed
        Those that are constant.
    """
    while True:
        for place, name in enumerate(inputs):
            halves = [[entry for entry in range(1 << len(inputs)) if entry >> place & 1 == value] for value in (0, 1)]
            low, high = (sum((table >> entry & 1) << index for index, entry in enumerate(half)) for half in halves)
            if name in fixed or low == high:
                table = high if fixed.get(name) == HIGH else low
                inputs = inputs[:place] + inputs[place + 1 :]
                break
        else:
            return table, inputs
