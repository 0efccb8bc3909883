"""Slices: look-up tables, flip-flops, carries and wide multiplexers, as UG474 draws them.

Features are named as in prjxray's database: of the letters A to D, ``AFFMUX.XOR`` is what the flip-flop takes,
``AOUTMUX.O5`` what the pin AMUX gives, ``CARRY4.ACY0`` that the carry's data is O5 and not the pin AX.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pynq_ee.bitcheck.netlist import HIGH, LOW, Builder, Net, bundle, constant
from pynq_ee.bitcheck.sites import Site
from pynq_ee.bitcheck.written_tables import LETTERS, WrittenTables


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
        kind = builder.site(tile, site)
        self._site = Site(builder, tile, site, kind.type, f"X{kind.x}")
        self._written = WrittenTables(self._site)
        self._carries: list[tuple[Net, Net]] = []  # S and DI of those of the four that are used
        self._begin: dict[str, Net] = {}

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

    def _chosen(self, multiplexer: str, letter: str) -> Net:
        """What a multiplexer before a flip-flop, or before an output, takes."""
        begin = f"{multiplexer}."
        choices = [feature[len(begin) :] for feature in self._site.features if feature.startswith(begin)]
        if len(choices) != 1:
            return self._site.problem(f"{multiplexer} takes {' and '.join(sorted(choices)) or 'nothing'}")
        (choice,) = choices
        self._site.has(begin + choice)
        sources: dict[str, Callable[[], Net]] = {
            "O6": lambda: self._o6(letter),
            "O5": lambda: self._o5(letter),
            "CY": lambda: self._carry("CO", letter),
            "XOR": lambda: self._carry("O", letter),
            "F7": lambda: self._f7(letter),
            "F8": self._f8,
            f"{letter}5Q": lambda: self._flip_flop(letter, "5"),
            f"{letter}X": lambda: self._site.input(f"{letter}X"),
            "MC31": lambda: self._written.last("A"),
        }
        return sources[choice]() if choice in sources else self._site.problem(f"no model of {multiplexer}.{choice}")

    # Look-up tables ---------------------------------------------------------------------------------------------------

    def _o6(self, letter: str) -> Net:
        if self._written.among(letter):
            return self._written.output(letter, "O6")
        name = f"{self._site.name}_{letter}_O6"
        return self._site.once(name, lambda: self._look_up(name, letter, 6))

    def _o5(self, letter: str) -> Net:
        if self._written.among(letter):
            return self._written.output(letter, "O5")
        name = f"{self._site.name}_{letter}_O5"
        return self._site.once(name, lambda: self._look_up(name, letter, 5))

    def _look_up(self, name: Net, letter: str, inputs: int) -> None:
        """A table of as many inputs as it depends on, constants not counted."""
        self._site.use_content(f"{letter}LUT.INIT")
        numbers = list(range(1, inputs + 1))
        table, numbers = reduced(self._site.content(f"{letter}LUT.INIT") & (1 << (1 << inputs)) - 1, numbers, {})
        nets = {number: self._site.input(f"{letter}{number}") for number in numbers}
        table, numbers = reduced(table, numbers, {number: net for number, net in nets.items() if net in (LOW, HIGH)})
        if not numbers:
            self._site.builder.wire(name, HIGH if table else LOW)
        elif len(numbers) == 1 and table == 0b10:
            self._site.builder.wire(name, nets[numbers[0]])
        else:
            ports = {f"I{index}": nets[number] for index, number in enumerate(numbers)} | {"O": name}
            init = {"INIT": constant(table, 1 << len(numbers))}
            self._site.builder.cell(f"LUT{len(numbers)}", f"{name}_LUT", init, ports)

    def _f7(self, letter: str) -> Net:
        """The multiplexer of A and B, or of C and D: the second letter's table where the select is low."""
        name = f"{self._site.name}_F7{letter}MUX"

        def make() -> None:
            low, high = self._o6(LETTERS[LETTERS.index(letter) + 1]), self._o6(letter)
            ports = {"I0": low, "I1": high, "S": self._site.input(f"{letter}X"), "O": name}
            self._site.builder.cell("MUXF7", f"{name}_MUX", {}, ports)

        return self._site.once(name, make)

    def _f8(self) -> Net:
        name = f"{self._site.name}_F8MUX"

        def make() -> None:
            ports = {"I0": self._f7("C"), "I1": self._f7("A"), "S": self._site.input("BX"), "O": name}
            self._site.builder.cell("MUXF8", f"{name}_MUX", {}, ports)

        return self._site.once(name, make)

    # Flip-flops -------------------------------------------------------------------------------------------------------

    def _flip_flop(self, letter: str, five: str = "") -> Net:
        name = f"{self._site.name}_{letter}{five}Q"
        return self._site.once(name, lambda: self._make_flip_flop(name, letter, five))

    def _make_flip_flop(self, name: Net, letter: str, five: str) -> None:
        if self._site.has("LATCH"):
            self._site.problem("no model of a latch")
            return
        if not five:
            data = self._chosen(f"{letter}FFMUX", letter)
        elif self._site.has(f"{letter}5FFMUX.IN_A") != self._site.has(f"{letter}5FFMUX.IN_B"):
            data = self._o5(letter) if self._site.has(f"{letter}5FFMUX.IN_A") else self._site.input(f"{letter}X")
        else:
            data = self._site.problem(f"{letter}5FFMUX does not take one of two")
        # The features say what is not: Z for the opposite of the value at the start, and after the reset.
        initial, after_reset = (0 if self._site.has(f"{letter}{five}FF.{bit}") else 1 for bit in ("ZINI", "ZRST"))
        type_, reset = {
            (True, 0): ("FDRE", "R"),
            (True, 1): ("FDSE", "S"),
            (False, 0): ("FDCE", "CLR"),
            (False, 1): ("FDPE", "PRE"),
        }[self._site.has("FFSYNC"), after_reset]
        ports = {
            "C": self._site.input("CLK"),
            "CE": self._site.input("CE") if self._site.has("CEUSEDMUX") else HIGH,
            reset: self._site.input("SR") if self._site.has("SRUSEDMUX") else LOW,
            "D": data,
            "Q": name,
        }
        parameters = {"INIT": f"1'b{initial}", "IS_C_INVERTED": f"1'b{int(self._site.has('CLKINV'))}"}
        self._site.builder.cell(type_, f"{name}_FF", parameters, ports)

    # Carries ----------------------------------------------------------------------------------------------------------

    def _carry(self, output: str, letter: str) -> Net:
        """A bit of CO or O. What stands above the highest one that is asked for is not looked at."""
        if not self._carries:
            self._site.builder.later(self._carry_in)
            self._site.builder.at_end(self._make_carry)
        place = LETTERS.index(letter)
        while len(self._carries) <= place:
            self._carries.append((LOW, LOW))
            self._site.builder.later(partial(self._carry_inputs, len(self._carries) - 1))
        return f"{self._site.name}_{output}{place}"

    def _carry_in(self) -> None:
        if self._site.has("PRECYINIT.CIN"):
            self._begin = {"CI": self._site.input("CIN"), "CYINIT": LOW}
        elif self._site.has("PRECYINIT.AX"):
            self._begin = {"CI": LOW, "CYINIT": self._site.input("AX")}
        else:
            self._begin = {"CI": LOW, "CYINIT": HIGH if self._site.has("PRECYINIT.C1") else LOW}

    def _carry_inputs(self, place: int) -> None:
        letter = LETTERS[place]
        data = self._o5(letter) if self._site.has(f"CARRY4.{letter}CY0") else self._site.input(f"{letter}X")
        self._carries[place] = self._o6(letter), data

    def _make_carry(self) -> None:
        inputs = self._carries + [(LOW, LOW)] * (4 - len(self._carries))
        ports = dict(self._begin)
        ports["S"], ports["DI"] = (bundle([pair[side] for pair in inputs]) for side in (0, 1))
        ports |= {
            output: bundle([f"{self._site.name}_{output}{place}" for place in range(4)]) for output in ("CO", "O")
        }
        self._site.builder.cell("CARRY4", f"{self._site.name}_CARRY4", {}, ports)


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
