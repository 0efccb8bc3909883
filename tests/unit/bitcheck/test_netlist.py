"""Tiny circuits with known bits, and the cells and wires that are read back from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pynq_ee.bitcheck.check import Findings
from pynq_ee.bitcheck.netlist import Cell, Netlist
from pynq_ee.bitcheck.slices import reduced

Decode = Callable[[Mapping[str, Iterable[str]]], tuple[Findings, Netlist]]

LOWER, UPPER, SWITCHES, ABOVE = "LOGIC_X3Y0", "LOGIC_X3Y1", "SWITCHES_X2Y0", "SWITCHES_X2Y1"
CLOCK = {
    "CLOCKS_X1Y0": [
        *(f"BUFGCTRL.BUFGCTRL_X0Y0.{bit}" for bit in ("IN_USE", "ZINV_CE0", "ZINV_S0")),  # CE1 is inverted, and low
        *(f"BUFHCE.BUFHCE_X0Y0.{bit}" for bit in ("IN_USE", "ZINV_CE")),
    ]
}
#: The clock behind its buffers.
CLOCKED = "CLOCKS_X1Y0_BUFGCTRL_X0Y0"


def slice_of(*features: str) -> list[str]:
    return [f"SLICEM_X0.{feature}" for feature in features]


def table(letter: str, value: int) -> list[str]:
    return [f"{letter}LUT.INIT[{bit:02}]" for bit in range(64) if value >> bit & 1]


def switches(**sinks: str) -> list[str]:
    return [f"TO_{sink}.{source}" for sink, source in sinks.items()]


def cells(netlist: Netlist, type_: str) -> list[Cell]:
    return [cell for cell in netlist.cells if cell.type == type_]


def processor(netlist: Netlist) -> dict[str, str]:
    (cell,) = cells(netlist, "PS7")
    return cell.ports


def resolved(netlist: Netlist, net: str) -> str:
    while net in netlist.assigned:
        net = netlist.assigned[net]
    return net


def test_a_table_is_of_the_inputs_that_it_depends_on(decode: Decode) -> None:
    """A2 and A5 differ; the others are not connected, and so high."""
    value = sum(1 << entry for entry in range(64) if (entry >> 1 ^ entry >> 4) & 1)
    found, netlist = decode(
        {
            LOWER: slice_of(*table("A", value)),
            SWITCHES: switches(A2="FROM_EMIOGPIOO0", A5="FROM_EMIOGPIOO1", EMIOGPIOI0="FROM_A"),
        }
    )
    assert not found.faults and found.cells == {"LUT2": 1, "PS7": 1} and not found.unused
    (cell,) = cells(netlist, "LUT2")
    assert cell.parameters == {"INIT": "4'h6"}
    assert cell.ports == {"I0": "PS7_EMIOGPIOO0", "I1": "PS7_EMIOGPIOO1", "O": "LOGIC_X3Y0_X0_A_O6"}
    assert processor(netlist)["EMIOGPIOI"] == "{1'bx, 1'bx, 1'bx, LOGIC_X3Y0_X0_A_O6}"


#: What may be at an input of a table: one of four signals, a constant, or nothing, which is high.
AT_AN_INPUT = [*(f"FROM_EMIOGPIOO{bit}" for bit in range(4)), "GND_WIRE", "VCC_WIRE", None]


@given(
    value=st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 2**64 - 1, 2, 0xA << 60, 0x0000CCCC0000CCCC])),
    inputs=st.lists(st.sampled_from(AT_AN_INPUT), min_size=6, max_size=6),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@example(
    value=0x0000CCCC0000CCCC, inputs=[None, AT_AN_INPUT[0], None, None, AT_AN_INPUT[1], None]
)  # one, and not the other
def test_a_table_gives_what_its_bits_say_whatever_is_at_its_inputs(
    decode: Decode, value: int, inputs: list[str | None]
) -> None:
    joined = {f"C{number}": source for number, source in enumerate(inputs, 1) if source}
    found, netlist = decode(
        {
            LOWER: slice_of(*table("C", value), "COUTMUX.O5"),
            SWITCHES: switches(**joined, EMIOGPIOI0="FROM_C", EMIOGPIOI1="FROM_CMUX"),
        }
    )
    assert not found.faults
    for entry in range(16):
        signals = {f"FROM_EMIOGPIOO{bit}": entry >> bit & 1 for bit in range(4)}
        pins = [{**signals, "GND_WIRE": 0, "VCC_WIRE": 1, None: 1}[source] for source in inputs]
        at = sum(pin << place for place, pin in enumerate(pins))
        known = {"1'b0": 0, "1'b1": 1, **{f"PS7_{name[5:]}": bit for name, bit in signals.items()}}
        assert simulated(netlist, known, "LOGIC_X3Y0_X0_C_O6") == value >> at & 1
        assert simulated(netlist, known, "LOGIC_X3Y0_X0_C_O5") == value >> at % 32 & 1


def simulated(netlist: Netlist, known: dict[str, int], net: str) -> int:
    """The value of a signal behind at most one table."""
    net = resolved(netlist, net)
    for cell in netlist.cells:
        if cell.ports.get("O") == net:
            read = [known[cell.ports[f"I{place}"]] for place in range(int(cell.type[3:]))]
            at = sum(bit << place for place, bit in enumerate(read))
            return int(cell.parameters["INIT"].split("h")[1], 16) >> at & 1
    return known[net]


def test_both_halves_of_a_table_are_tables(decode: Decode) -> None:
    """O5 is the lower half; O6 the upper one, since A6 is not connected."""
    halves = 0b1110 << 32 | 0b1000  # of A1 and A2, where A3 to A5 are low
    found, netlist = decode(
        {
            LOWER: slice_of(*table("A", halves), "AOUTMUX.O5"),
            SWITCHES: switches(
                A1="FROM_EMIOGPIOO0",
                A2="FROM_EMIOGPIOO1",
                A3="GND_WIRE",
                A4="GND_WIRE",
                A5="GND_WIRE",
                EMIOGPIOI0="FROM_A",
                EMIOGPIOI1="FROM_AMUX",
            ),
        }
    )
    assert not found.faults
    assert {cell.ports["O"]: cell.parameters["INIT"] for cell in cells(netlist, "LUT2")} == {
        "LOGIC_X3Y0_X0_A_O6": "4'he",
        "LOGIC_X3Y0_X0_A_O5": "4'h8",
    }


@pytest.mark.parametrize(
    ("settings", "type_", "reset", "initial"),
    [
        (["FFSYNC", "AFF.ZRST", "AFF.ZINI"], "FDRE", "R", 0),
        (["FFSYNC"], "FDSE", "S", 1),
        (["AFF.ZRST"], "FDCE", "CLR", 1),
        (["AFF.ZINI"], "FDPE", "PRE", 0),
    ],
)
def test_a_flip_flop_is_of_its_kind(decode: Decode, settings: list[str], type_: str, reset: str, initial: int) -> None:
    found, netlist = decode(
        {
            **CLOCK,
            LOWER: slice_of(*settings, "AFFMUX.AX", "CEUSEDMUX", "SRUSEDMUX"),
            SWITCHES: switches(
                AX="FROM_EMIOGPIOO2", CLK="CLOCK", CE="FROM_EMIOGPIOO0", SR="FROM_FCLKRESETN0", IRQF2P0="FROM_AQ"
            ),
        }
    )
    assert not found.faults and not found.unused
    (cell,) = cells(netlist, type_)
    assert cell.parameters == {"INIT": f"1'b{initial}", "IS_C_INVERTED": "1'b0"}
    assert cell.ports == {
        "C": CLOCKED,
        "CE": "PS7_EMIOGPIOO0",
        reset: "PS7_FCLKRESETN0",
        "D": "PS7_EMIOGPIOO2",
        "Q": "LOGIC_X3Y0_X0_AQ",
    }
    (buffer,) = cells(netlist, "BUFG")
    assert buffer.ports == {"I": "PS7_FCLKCLK0", "O": CLOCKED}


def test_the_second_flip_flop_of_a_letter_takes_o5_or_the_pin(decode: Decode) -> None:
    found, netlist = decode(
        {
            **CLOCK,
            LOWER: slice_of(
                "FFSYNC", "CLKINV", *table("B", 2), "B5FFMUX.IN_A", "BOUTMUX.B5Q", "C5FFMUX.IN_B", "COUTMUX.C5Q"
            ),
            SWITCHES: switches(
                B1="FROM_EMIOGPIOO0",
                B2="GND_WIRE",
                B3="GND_WIRE",
                B4="GND_WIRE",
                B5="GND_WIRE",
                CLK="CLOCK",
                CX="FROM_EMIOGPIOO1",
                EMIOGPIOI0="FROM_BMUX",
                EMIOGPIOI1="FROM_CMUX",
            ),
        }
    )
    assert not found.faults
    data = {cell.ports["Q"]: resolved(netlist, cell.ports["D"]) for cell in cells(netlist, "FDSE")}
    assert data == {"LOGIC_X3Y0_X0_B5Q": "PS7_EMIOGPIOO0", "LOGIC_X3Y0_X0_C5Q": "PS7_EMIOGPIOO1"}
    assert all(cell.parameters["IS_C_INVERTED"] == "1'b1" for cell in cells(netlist, "FDSE"))
    assert all((cell.ports["CE"], cell.ports["S"]) == ("1'b1", "1'b0") for cell in cells(netlist, "FDSE"))


def test_a_carry_goes_on_in_the_slice_above(decode: Decode) -> None:
    passes = sum(1 << entry for entry in range(64) if entry & 1)  # the first input
    found, netlist = decode(
        {
            LOWER: slice_of(*table("A", passes), "CARRY4.ACY0", "PRECYINIT.AX", "DOUTMUX.XOR"),
            UPPER: slice_of("PRECYINIT.CIN", "AOUTMUX.XOR"),
            SWITCHES: switches(
                A1="FROM_EMIOGPIOO0",
                AX="FROM_EMIOGPIOO1",
                BX="FROM_EMIOGPIOO2",
                EMIOGPIOI0="FROM_DMUX",
                EMIOGPIOI1="FROM_BETWEEN1",
            ),
            ABOVE: switches(BETWEEN1="FROM_AMUX", AX="GND_WIRE"),
        }
    )
    assert not found.faults
    lower, upper = sorted(cells(netlist, "CARRY4"), key=lambda cell: cell.name)
    assert lower.ports["CYINIT"] == "PS7_EMIOGPIOO1" and lower.ports["CI"] == "1'b0"
    assert upper.ports["CI"] == "LOGIC_X3Y0_X0_CO3" and upper.ports["CYINIT"] == "1'b0"
    assert lower.ports["DI"] == "{1'b1, 1'b1, PS7_EMIOGPIOO2, LOGIC_X3Y0_X0_A_O5}"
    assert [resolved(netlist, f"LOGIC_X3Y0_X0_{letter}_O6") for letter in "AB"] == ["PS7_EMIOGPIOO0", "1'b0"]
    assert upper.ports["S"] == "{1'b0, 1'b0, 1'b0, LOGIC_X3Y1_X0_A_O6}"
    assert processor(netlist)["EMIOGPIOI"] == "{1'bx, 1'bx, LOGIC_X3Y1_X0_O0, LOGIC_X3Y0_X0_O3}"


def test_wide_multiplexers_take_the_second_letter_where_the_select_is_low(decode: Decode) -> None:
    found, netlist = decode(
        {
            LOWER: slice_of("BOUTMUX.F8"),
            SWITCHES: switches(
                AX="FROM_EMIOGPIOO0", BX="FROM_EMIOGPIOO1", CX="FROM_EMIOGPIOO2", EMIOGPIOI0="FROM_BMUX"
            ),
        }
    )
    assert not found.faults
    (wide,) = cells(netlist, "MUXF8")
    narrow = {cell.ports["O"]: cell.ports for cell in cells(netlist, "MUXF7")}
    low, high = narrow[wide.ports["I0"]], narrow[wide.ports["I1"]]
    assert [port[-4:] for port in (low["I0"], low["I1"], high["I0"], high["I1"])] == ["D_O6", "C_O6", "B_O6", "A_O6"]
    assert (low["S"], high["S"], wide.ports["S"]) == ("PS7_EMIOGPIOO2", "PS7_EMIOGPIOO0", "PS7_EMIOGPIOO1")


def test_a_memory_of_64_bits_is_written_by_the_address_of_d(decode: Decode) -> None:
    found, netlist = decode(
        {
            **CLOCK,
            LOWER: slice_of("ALUT.RAM", "BLUT.RAM", "DLUT.RAM", *table("A", 0x8000000000000001), "WA7USED"),
            SWITCHES: switches(
                A1="FROM_EMIOGPIOO0",
                D1="FROM_EMIOGPIOO1",
                DI="FROM_EMIOGPIOO2",
                WE="FROM_EMIOGPIOO3",
                CLK="CLOCK",
                CX="FROM_EMIOGPIOO4",
                EMIOGPIOI0="FROM_A",
            ),
        }
    )
    assert not found.faults
    (cell,) = cells(netlist, "RAM64X1D")
    assert cell.parameters == {"INIT": "64'h8000000000000001", "IS_WCLK_INVERTED": "1'b0"}
    read, written, data = "PS7_EMIOGPIOO0", "PS7_EMIOGPIOO1", "PS7_EMIOGPIOO2"  # DI of A comes by B and D
    assert (cell.ports["DPRA0"], cell.ports["A0"], cell.ports["D"]) == (read, written, data)
    assert netlist.assigned[cell.ports["WE"]] == "PS7_EMIOGPIOO3 && PS7_EMIOGPIOO4"


def test_a_small_memory_is_two_of_32_bits(decode: Decode) -> None:
    found, netlist = decode(
        {
            **CLOCK,
            LOWER: slice_of(
                "CLUT.RAM", "CLUT.SMALL", "CLUT.DI1MUX.CI", "WEMUX.CE", "COUTMUX.O5", *table("C", 5 << 32 | 3)
            ),
            SWITCHES: switches(
                CI="FROM_EMIOGPIOO0",
                CX="FROM_EMIOGPIOO1",
                CE="FROM_EMIOGPIOO2",
                CLK="CLOCK",
                EMIOGPIOI0="FROM_C",
                EMIOGPIOI1="FROM_CMUX",
            ),
        }
    )
    assert not found.faults
    memories = {cell.ports["DPO"][-5:]: cell for cell in cells(netlist, "RAM32X1D")}
    assert {name: cell.parameters["INIT"] for name, cell in memories.items()} == {
        "UPPER": "32'h00000005",
        "LOWER": "32'h00000003",
    }
    assert {name: cell.ports["D"] for name, cell in memories.items()} == {
        "UPPER": "PS7_EMIOGPIOO1",
        "LOWER": "PS7_EMIOGPIOO0",
    }
    assert {cell.ports["WE"] for cell in memories.values()} == {"PS7_EMIOGPIOO2"}
    assert resolved(netlist, "LOGIC_X3Y0_X0_C_O6").endswith("UPPER")  # C6 is not connected, and so high


def test_a_shift_register_takes_the_last_bit_of_the_one_before(decode: Decode) -> None:
    found, netlist = decode(
        {
            **CLOCK,
            LOWER: slice_of("CLUT.SRL", "DLUT.SRL", *table("D", 2**64 - 1), "COUTMUX.O6"),
            SWITCHES: switches(
                DI="FROM_EMIOGPIOO0", C2="FROM_EMIOGPIOO1", C6="GND_WIRE", WE="FROM_EMIOGPIOO2", CLK="CLOCK",
                EMIOGPIOI0="FROM_CMUX",
            ),
        }
    )  # fmt: skip
    assert not found.faults
    registers = {cell.name[-8:-7]: cell for cell in cells(netlist, "SRLC32E")}
    assert registers["C"].ports["D"] == registers["D"].ports["Q31"] and registers["D"].ports["D"] == "PS7_EMIOGPIOO0"
    assert registers["C"].ports["A"] == "{1'b0, 1'b1, 1'b1, 1'b1, PS7_EMIOGPIOO1}"
    assert [registers[letter].parameters["INIT"] for letter in "CD"] == ["32'h00000000", "32'hffffffff"]


def test_a_small_shift_register_is_two_of_16_bits(decode: Decode) -> None:
    found, netlist = decode(
        {
            **CLOCK,
            LOWER: slice_of("ALUT.SRL", "ALUT.SMALL", "ALUT.DI1MUX.AI", "AOUTMUX.O5", *table("A", 2**64 - 2**32)),
            SWITCHES: switches(
                AI="FROM_EMIOGPIOO0", AX="FROM_EMIOGPIOO1", WE="VCC_WIRE", CLK="CLOCK", EMIOGPIOI0="FROM_A",
                EMIOGPIOI1="FROM_AMUX",
            ),
        }
    )  # fmt: skip
    assert not found.faults
    registers = {cell.ports["Q"][-5:]: cell for cell in cells(netlist, "SRL16E")}
    assert {name: cell.ports["D"] for name, cell in registers.items()} == {
        "UPPER": "PS7_EMIOGPIOO1",
        "LOWER": "PS7_EMIOGPIOO0",
    }
    assert {name: cell.parameters["INIT"] for name, cell in registers.items()} == {
        "UPPER": "16'hffff",
        "LOWER": "16'h0000",
    }


def test_half_a_block_ram_is_one_of_18_kbit(decode: Decode) -> None:
    used = ["RAMB18_Y0.IN_USE", "RAMB18_Y0.READ_WIDTH_A_18", "RAMB18_Y0.ZINV_ENARDEN", "RAMB18_Y0.DOA_REG"]
    found, netlist = decode({"MEMORY_X4Y0": used, SWITCHES: switches(EMIOGPIOI0="FROM_DOADO3")})
    assert not found.faults and not found.unused
    (cell,) = cells(netlist, "RAMB18E1")
    assert {name: cell.parameters[name] for name in ("RAM_MODE", "READ_WIDTH_A", "READ_WIDTH_B", "DOA_REG")} == {
        "RAM_MODE": '"TDP"',
        "READ_WIDTH_A": "18",
        "READ_WIDTH_B": "1",
        "DOA_REG": "1",
    }
    assert (cell.ports["ENARDEN"], cell.ports["ENBWREN"]) == ("1'b1", "1'b0"), "both are high, and one is inverted"
    assert processor(netlist)["EMIOGPIOI"] == "{1'bx, 1'bx, 1'bx, MEMORY_X4Y0_Y0_DOADO3}"
    assert cell.ports["DOADO"].count(",") == 15 and cell.ports["WEBWE"] == "{1'b1, 1'b1, 1'b1, 1'b1}"


def test_what_does_not_reach_the_processor_is_counted_and_left_out(decode: Decode) -> None:
    found, netlist = decode({UPPER: slice_of("FFSYNC", *table("A", 7)), SWITCHES: switches(EMIOGPIOI0="GND_WIRE")})
    assert not found.faults and found.unused == {"LOGIC": 4} and found.cells == {"PS7": 1}
    assert processor(netlist)["EMIOGPIOI"] == "{1'bx, 1'bx, 1'bx, 1'b0}"


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({SWITCHES: [*switches(EMIOGPIOI0="LONG"), "LONG.VCC_WIRE"], ABOVE: ["LONG.GND_WIRE"]},
         "SWITCHES_X2Y0/LONG is driven by the switch from VCC_WIRE and the switch from GND_WIRE"),
        ({SWITCHES: switches(EMIOGPIOI0="LONG")}, "SWITCHES_X2Y0/TO_EMIOGPIOI0 is switched to what nothing drives"),
        ({LOWER: slice_of("AFFMUX.AX"), SWITCHES: switches(EMIOGPIOI0="FROM_AQ")},
         "nothing drives LOGIC_X3Y0/CLK, the pin CLK of a site in use"),
        ({LOWER: slice_of("FFSYNC"), SWITCHES: switches(EMIOGPIOI0="FROM_AQ", CLK="CLOCK"), **CLOCK},
         "LOGIC_X3Y0, SLICEM_X0: AFFMUX takes nothing"),
        ({LOWER: slice_of("LATCH", "AFFMUX.AX"), SWITCHES: switches(EMIOGPIOI0="FROM_AQ")}, "no model of a latch"),
        ({LOWER: slice_of("ALUT.SRL", *table("A", 2)), SWITCHES: switches(EMIOGPIOI0="FROM_A")},
         "SLICEM_X0: no model of the shift register A: it begins with 0x2"),
        ({SWITCHES: switches(MAXIGP0ACLK="CLOCK")}, "no model of this clock buffer, it is not in use"),
        ({SWITCHES: switches(MAXIGP0ACLK="CLOCK"), "CLOCKS_X1Y0": CLOCK["CLOCKS_X1Y0"][:4]},
         "no model of this clock buffer, CE is not constantly high"),
        ({SWITCHES: switches(EMIOGPIOI0="FROM_DOADO0"), "MEMORY_X4Y0": ["RAMB18_Y0.IN_USE", "RAMB36.EN_ECC_READ"]},
         "no model of RAMB36.EN_ECC_READ"),
    ],
)  # fmt: skip
def test_what_is_no_circuit_is_a_fault_that_names_the_place(decode: Decode, features: dict, message: str) -> None:
    found, _ = decode(features)
    assert any(message in fault for fault in found.faults), found.faults


def value_at(table_: int, inputs: list[int], values: dict[int, int]) -> int:
    return table_ >> sum(values[name] << place for place, name in enumerate(inputs)) & 1


@given(
    st.integers(0, 2**64 - 1), st.dictionaries(st.integers(1, 6), st.sampled_from(["1'b0", "1'b1"])), st.integers(0, 63)
)
def test_a_reduced_table_has_the_same_values(value: int, fixed: dict[int, str], entry: int) -> None:
    values = {name: int(fixed[name][-1]) if name in fixed else entry >> name - 1 & 1 for name in range(1, 7)}
    smaller, names = reduced(value, list(range(1, 7)), fixed)
    assert value_at(smaller, names, values) == value_at(value, list(range(1, 7)), values)
    assert not set(names) & fixed.keys()
    for place in range(len(names)):  # it depends on each that is left
        assert any(smaller >> e & 1 != smaller >> (e ^ 1 << place) & 1 for e in range(1 << len(names)))
