"""Pipelines of constant-weight arithmetic in Verilog: one operation a clock, a register behind each.

A weight is at most one addition (``5 x = x + 4 x``, ``7 x = 8 x - x``: the canonical signed-digit form of up to four
bits), which all that need the same multiple share; a power of two costs nothing. Sums are balanced trees with fixed
places for the taps. Equal sums are built once: with ternary weights, many channels add or subtract the same two
neighbours. Every value has just the bits that its range needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pynq_ee.generate import constants
from pynq_ee.network import spec as _spec

#: Bits of a sum for which no carry chain is taken: three look-up tables stand behind each other at most. A device has a
#: chain for every four look-up tables, and open placers can use half of them.
NARROW_BITS = 7


@dataclass(frozen=True)
class Signal:
    """A value in a register or at an input: its name, its range, and the clock in which it is there."""

    name: str
    low: int
    high: int
    clock: int

    @property
    def bits(self) -> int:
        """Bits that hold the range: two's complement if it has negative values, else unsigned."""
        return constants.signed_bits(self.low, self.high) if self.low < 0 else max(1, self.high.bit_length())

    def part(self, shift: int, bits: int) -> str:
        """Verilog of ``bits`` bits of ``value >> shift``, extended by the sign or by zeros where it has fewer."""
        have = max(0, min(self.bits - shift, bits))
        text = f"{self.name}[{shift + have - 1}:{shift}]" if have else ""
        if have == bits:
            return text
        filled = f"{{{bits - have}{{{self.name}[{self.bits - 1}]}}}}" if self.low < 0 else f"{bits - have}'d0"
        return f"{{{filled}, {text}}}" if have else filled


@dataclass(frozen=True)
class Term:
    """Part of a sum: plus or minus ``signal << shift``."""

    signal: Signal
    shift: int
    negative: bool

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest value of the part."""
        ends = [(-1 if self.negative else 1) * end * (1 << self.shift) for end in (self.signal.low, self.signal.high)]
        return min(ends), max(ends)


@dataclass
class Pipeline:
    """Registers without a reset and without an enable, each one operation behind others; equal ones are one."""

    inputs: list[str] = field(default_factory=list)
    gates: dict[str, str] = field(default_factory=dict)
    registers: dict[str, Signal] = field(default_factory=dict)

    def input(self, port: str, offset: int, low: int, high: int) -> Signal:
        """Bits of a port from ``offset`` on; there in clock 0."""
        signal = Signal(f"{port}_{offset}", low, high, 0)
        self.inputs.append(f"wire [{signal.bits - 1}:0] {signal.name} = {port}[{offset} +: {signal.bits}];")
        return signal

    def register(self, expression: str, low: int, high: int, clock: int) -> Signal:
        """The register behind an expression, which is there in ``clock``."""
        return self.registers.setdefault(expression, Signal(f"r{len(self.registers)}", low, high, clock))

    def at(self, signal: Signal, clock: int) -> Signal:
        """The signal, delayed until ``clock``."""
        while signal.clock < clock:
            signal = self.register(signal.name, signal.low, signal.high, signal.clock + 1)
        return signal

    def sum(self, first: Signal, second: Signal, shift: int, minus: bool) -> Signal:
        """``first + (second << shift)``, or minus. The low bits of ``first`` need no adder."""
        clock = max(first.clock, second.clock)
        first, second = self.at(first, clock), self.at(second, clock)
        term = Term(second, shift, minus)
        if first == second:  # a multiple: both ends are reached together
            factor = 1 + (-1 if minus else 1) * (1 << shift)
            low, high = sorted((factor * first.low, factor * first.high))
        else:
            low, high = first.low + term.range[0], first.high + term.range[1]
        bits = Signal("", low, high, 0).bits - shift
        text = self.added(first.part(shift, bits), second.part(0, bits), bits, minus)
        return self.register(f"{{{text}, {first.part(0, shift)}}}" if shift else text, low, high, clock + 1)

    def multiple(self, signal: Signal, weight: int) -> Term | None:
        """``weight * signal``, with at most one addition; nothing where the weight is 0."""
        if weight == 0:
            return None
        shift = (weight & -weight).bit_length() - 1
        odd = abs(weight) >> shift
        if odd == 1:
            return Term(signal, shift, weight < 0)
        for minus, rest in ((False, odd - 1), (True, odd + 1)):
            if rest & (rest - 1) == 0:
                return Term(self.sum(signal, signal, rest.bit_length() - 1, minus), shift, (weight < 0) != minus)
        raise ValueError(f"weight is {weight}; a multiple by one addition has at most 4 bits")

    def tree(self, terms: Sequence[Term | None]) -> Term | None:
        """The terms' sum, as a balanced tree. Missing ones keep their places, so that equal pairs meet."""
        while len(terms) > 1:
            pairs = [terms[place : place + 2] for place in range(0, len(terms), 2)]
            terms = [self.pair(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
        return terms[0]

    def pair(self, first: Term | None, second: Term | None) -> Term | None:
        """The sum of two terms. The one of the lower shift comes first, so that there is one form of each."""
        if first is None or second is None:
            return first or second
        first, second = sorted((first, second), key=lambda term: (term.shift, term.signal.name))
        minus = first.negative != second.negative
        signal = self.sum(first.signal, second.signal, second.shift - first.shift, minus)
        return Term(signal, first.shift, first.negative)

    def activation(self, term: Term | None, offset: int, shift: int) -> Signal:
        """ReLU and requantization: ``(offset + term) >> shift``, saturated to an unsigned activation; two clocks."""
        low, high = term.range if term else (0, 0)
        low, high = low + offset, high + offset
        bits = constants.signed_bits(low, high)
        text = f"{bits}'d{offset % (1 << bits)}"
        if term:
            added = term.signal.part(0, bits - term.shift)
            text += f" {'-' if term.negative else '+'} "
            text += f"{{{added}, {term.shift}'d0}}" if term.shift else added
        # One more bit than it needs, if need be: then it has a sign.
        wide = self.register(text, min(low, -1), high, term.signal.clock + 1 if term else 1)
        kept = wide.part(shift, _spec.ACTIVATION_BITS)
        if high >> shift > _spec.ACTIVATION_MAX:
            top = shift + _spec.ACTIVATION_BITS
            kept = f"|{wide.name}[{wide.bits - 1}:{top}] ? {_spec.ACTIVATION_BITS}'d{_spec.ACTIVATION_MAX} : {kept}"
        kept = f"{wide.name}[{wide.bits - 1}] ? {_spec.ACTIVATION_BITS}'d0 : {kept}"
        return self.register(kept, 0, _spec.ACTIVATION_MAX, wide.clock + 1)

    def maximum(self, signals: Sequence[Signal]) -> Signal:
        """The greatest of activations."""
        greatest = signals[0]
        for signal in signals[1:]:
            clock = max(greatest.clock, signal.clock)
            a, b = self.at(greatest, clock).name, self.at(signal, clock).name
            greatest = self.register(self.greater(a, b), 0, max(greatest.high, signal.high), clock + 1)
        return greatest

    def added(self, first: str, second: str, bits: int, minus: bool) -> str:
        """Verilog of a sum or a difference of two values of as many bits as it has."""
        if bits > NARROW_BITS:
            return f"{first} {'-' if minus else '+'} {second}"
        values = f".first({first}), .second({second})".replace("{", "{{").replace("}", "}}")
        instance = f"narrow_sum #(.BITS({bits}), .MINUS({int(minus)})) of_{{wire}} ({values}, .sum({{wire}}));"
        return self.gate(f"wire [{bits - 1}:0] {{wire}}; {instance}")

    def greater(self, first: str, second: str) -> str:
        """Verilog of the greater of two activations."""
        instance = f"maximum_each of_{{wire}} (.a({first}), .b({second}), .greater({{wire}}));"
        return self.gate(f"wire [{_spec.ACTIVATION_BITS - 1}:0] {{wire}}; {instance}")

    def gate(self, text: str) -> str:
        """The wire that is declared and driven by Verilog with a place for its name; equal ones are one."""
        return self.gates.setdefault(text, f"g{len(self.gates)}")

    def digit(self, activation: Signal, weights: str, place: int, signed: bool) -> Signal:
        """The activation times a digit of two bits of a weight that varies: 0 to 3, or -2 to 1 if it is signed."""
        low, high = (-2 * activation.high, activation.high) if signed else (0, 3 * activation.high)
        bits = Signal("", low, high, 0).bits
        once, twice = activation.part(0, bits), f"{{{activation.part(0, bits - 1)}, 1'd0}}"
        low_part, high_part = (
            f"({value} & {{{bits}{{{weights}[{place + digit}]}}}})" for digit, value in enumerate((once, twice))
        )
        return self.register(self.added(low_part, high_part, bits, signed), low, high, activation.clock + 1)

    def module(self, name: str, inputs: dict[str, int], output: str, values: Sequence[str]) -> Iterable[str]:
        """The module of the pipeline; ``values`` are the fields of its output, the first one in the lowest bits."""
        ports = [f"input wire [{bits - 1}:0] {port}" for port, bits in inputs.items()]
        ports.append(f"output wire [spec::{output.upper()}_BITS-1:0] {output}")
        yield f"module {name} (input wire clock, {', '.join(ports)});"
        yield from (f"  {line}" for line in self.inputs)
        yield from (f"  reg [{signal.bits - 1}:0] {signal.name};" for signal in self.registers.values())
        for gate, wire in self.gates.items():
            yield f"  {gate.format(wire=wire)}"
        yield "  always @(posedge clock) begin"
        yield from (f"    {signal.name} <= {expression};" for expression, signal in self.registers.items())
        yield "  end"
        yield f"  assign {output} = {{{', '.join(reversed(values))}}};"
        yield "endmodule"
