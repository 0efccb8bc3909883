"""A device of a few tiles, as a database in prjxray's format, and the bitstreams of circuits in it.

From left to right it has a processor, clock buffers, switches, logic and a memory; switches and logic twice, one above
the other, where the lower carry goes on in the upper one. Every input is the output of one multiplexer of the switches.
A circuit is given by its features, and `bitstream` is the inverse of what the package does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.bitcheck import frames, packets
from pynq_ee.bitcheck.database import Database

IDCODE, PART = 0x1BADC0DE, "xctinycq1-1"
FRAMES = 40

LETTERS = "ABCD"
SLICE_INPUTS = [f"{letter}{pin}" for letter in LETTERS for pin in (1, 2, 3, 4, 5, 6, "X", "I")] + [
    "CE",
    "SR",
    "CLK",
    "WE",
]
SLICE_OUTPUTS = [f"{letter}{pin}" for letter in LETTERS for pin in ("", "Q", "MUX")]
PROCESSOR_INPUTS = ["EMIOGPIOI0", "EMIOGPIOI1", "EMIOGPIOI2", "EMIOGPIOI3", "IRQF2P0", "MAXIGP0ACLK", "TESTSPAREIN0"]
PROCESSOR_OUTPUTS = ["FCLKCLK0", "FCLKRESETN0", *(f"EMIOGPIOO{bit}" for bit in range(8))]
BETWEEN = [f"BETWEEN{number}" for number in range(4)]  # one way between the two tiles of switches
LONG = "LONG"  # a wire that both of them can drive
MEMORY_OUTPUTS = [f"DOADO{bit}" for bit in range(4)]

#: What a multiplexer of the switches can take, and what its output is.
SOURCES = ["GND_WIRE", "VCC_WIRE", "CLOCK", LONG]
SOURCES += [f"FROM_{pin}" for pin in (*SLICE_OUTPUTS, *PROCESSOR_OUTPUTS[1:], *BETWEEN, *MEMORY_OUTPUTS)]
SINKS = [f"TO_{pin}" for pin in (*SLICE_INPUTS, *PROCESSOR_INPUTS, *BETWEEN)] + [LONG]

MEMORY_VECTORS = {
    "ADDRARDADDR": 14,
    "ADDRBWRADDR": 14,
    "DIADI": 16,
    "DIBDI": 16,
    "DIPADIP": 2,
    "DIPBDIP": 2,
    "WEA": 4,
    "WEBWE": 8,
}
MEMORY_INPUTS = [f"{name}{bit}" for name, size in MEMORY_VECTORS.items() for bit in range(size)]
MEMORY_INPUTS += ["CLKARDCLK", "CLKBWRCLK", "ENARDEN", "ENBWREN", "RSTRAMARSTRAM", "RSTRAMB"]
MEMORY_INPUTS += ["RSTREGARSTREG", "RSTREGB", "REGCEAREGCE", "REGCEB"]

TILES = {  # name, type, column, row from the top, first frame and word of its bits
    "PROCESSOR_X0Y0": ("PROCESSOR", 0, 1, None, 0),
    "CLOCKS_X1Y0": ("CLOCKS", 1, 1, 0x000000, 0),
    "SWITCHES_X2Y0": ("SWITCHES", 2, 1, 0x000080, 0),
    "SWITCHES_X2Y1": ("SWITCHES", 2, 0, 0x000080, 60),
    "LOGIC_X3Y0": ("LOGIC", 3, 1, 0x000100, 0),
    "LOGIC_X3Y1": ("LOGIC", 3, 0, 0x000100, 60),
    "MEMORY_X4Y0": ("MEMORY", 4, 1, 0x400000, 0),
}


class _Bits:
    """Hands out the bits of a type of tile, the next free one first."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._next = 0

    def take(self, count: int) -> list[str]:
        places = range(self._next, self._next + count)
        self._next += count
        return [f"{place % FRAMES:02}_{place // FRAMES:02}" for place in places]

    def single(self, *features: str) -> None:
        self.lines += [f"{feature} {self.take(1)[0]}" for feature in features]

    def multiplexer(self, features: Iterable[str], first: int = 1) -> None:
        """A code for each feature; one of 0 is a feature of unset bits alone."""
        coded = list(enumerate(features, first))
        bits = self.take(max(code for code, _ in coded).bit_length())
        for code, feature in coded:
            places = (f"{'' if code >> index & 1 else '!'}{place}" for index, place in enumerate(bits))
            self.lines.append(f"{feature} {' '.join(places)}")


def _slice_bits(bits: _Bits) -> None:
    site = "LOGIC.SLICEM_X0."
    for letter in LETTERS:
        bits.single(*(f"{site}{letter}LUT.INIT[{entry:02}]" for entry in range(64)))
        bits.single(*(f"{site}{letter}LUT.{mode}" for mode in ("RAM", "SMALL", "SRL")))
        wide = {"A": "F7", "B": "F8", "C": "F7"}.get(letter)
        common = ["CY", "XOR", "O5", "O6", *([wide] if wide else [])]
        bits.multiplexer(f"{site}{letter}FFMUX.{choice}" for choice in (*common, f"{letter}X"))
        bits.multiplexer(f"{site}{letter}OUTMUX.{choice}" for choice in (*common, f"{letter}5Q"))
        bits.single(*(f"{site}{letter}{five}FF.{bit}" for five in ("", "5") for bit in ("ZINI", "ZRST")))
        bits.single(f"{site}{letter}5FFMUX.IN_A", f"{site}{letter}5FFMUX.IN_B", f"{site}CARRY4.{letter}CY0")
        if letter != "D":
            bits.single(f"{site}{letter}LUT.DI1MUX.{letter}I")
    bits.multiplexer((f"{site}PRECYINIT.{choice}" for choice in ("C0", "C1", "AX", "CIN")), first=0)
    bits.single(
        *(f"{site}{name}" for name in ("FFSYNC", "LATCH", "CEUSEDMUX", "SRUSEDMUX", "WA7USED", "WA8USED", "WEMUX.CE"))
    )
    bits.multiplexer([f"{site}NOCLKINV", f"{site}CLKINV"], first=0)


def _tile_types() -> dict[str, dict[str, Any]]:
    """For each type its sites, switches, permanent connections and patterns of bits."""

    def site(
        type_: str, prefix: str, inputs: Mapping[str, str], outputs: Mapping[str, str], y: int = 0
    ) -> dict[str, Any]:
        pins = {pin: {"wire": wire} for pin, wire in {**inputs, **outputs}.items()}
        return {"type": type_, "name": f"X0Y{y}", "prefix": prefix, "x_coord": 0, "y_coord": y, "site_pins": pins}

    logic, switches, clocks, memory = _Bits(), _Bits(), _Bits(), _Bits()
    _slice_bits(logic)
    for sink in SINKS:
        switches.multiplexer(f"SWITCHES.{sink}.{source}" for source in SOURCES if source != sink)
    for name in ("BUFGCTRL.BUFGCTRL", "BUFHCE.BUFHCE"):
        clocks.single(
            *(f"CLOCKS.{name}_X0Y0.{bit}" for bit in ("IN_USE", "ZINV_CE", "ZINV_CE0", "ZINV_S0", "ZINV_CE1"))
        )
    memory.single("MEMORY.RAMB18_Y0.IN_USE", "MEMORY.RAMB18_Y0.DOA_REG", "MEMORY.RAMB36.EN_ECC_READ")
    memory.multiplexer(f"MEMORY.RAMB18_Y0.READ_WIDTH_A_{width}" for width in (2, 4, 9, 18))
    memory.single(*(f"MEMORY.RAMB18_Y0.ZINV_{pin}" for pin in MEMORY_INPUTS[-10:-2]))
    gates = ("CE0", "S0", "CE1", "S1", "IGNORE0", "IGNORE1")
    return {
        "PROCESSOR": {
            "sites": [
                site(
                    "PS7",
                    "PS7",
                    {pin: f"PS7_{pin}" for pin in PROCESSOR_INPUTS},
                    {pin: f"PS7_{pin}" for pin in PROCESSOR_OUTPUTS},
                )
            ],
            "switches": [],
        },
        "CLOCKS": {
            "sites": [
                site("BUFGCTRL", "BUFGCTRL", {"I0": "I0", "I1": "I1", **{pin: pin for pin in gates}}, {"O": "TRUNK"}),
                site("BUFHCE", "BUFHCE", {"I": "ROW_IN", "CE": "CE"}, {"O": "ROW"}),
                site("TIEOFF", "TIEOFF", {}, {"HARD0": "GND_WIRE", "HARD1": "VCC_WIRE"}),
            ],
            "switches": [("ROW_IN", "TRUNK"), ("I0", "FCLK"), *((pin, "VCC_WIRE") for pin in (*gates, "CE", "I1"))],
            "fixed": [
                ("ROW_IN", "TRUNK", "always"),
                ("I0", "FCLK", "always"),
                *((pin, "VCC_WIRE", "default") for pin in (*gates, "CE", "I1")),
            ],
            "bits": clocks,
        },
        "SWITCHES": {
            "sites": [site("TIEOFF", "TIEOFF", {}, {"HARD0": "GND_WIRE", "HARD1": "VCC_WIRE"})],
            "switches": [(sink, source) for sink in SINKS for source in SOURCES if source != sink],
            "fixed": [
                (f"TO_{pin}", "VCC_WIRE", "default") for pin in SLICE_INPUTS if pin not in ("CLK", "SR", "CE", "WE")
            ],
            "bits": switches,
        },
        "LOGIC": {
            "sites": [
                site(
                    "SLICEM",
                    "SLICE",
                    {pin: pin for pin in (*SLICE_INPUTS, "CIN")},
                    {pin: f"OUT_{pin}" for pin in (*SLICE_OUTPUTS, "COUT")},
                )
            ],
            "switches": [],
            "bits": logic,
        },
        "MEMORY": {
            "sites": [
                site(
                    "FIFO18E1",
                    "RAMB18",
                    {pin: f"BRAM_FIFO18_{pin}" for pin in MEMORY_INPUTS},
                    {pin: f"BRAM_FIFO18_{pin}" for pin in MEMORY_OUTPUTS},
                ),
                site("TIEOFF", "TIEOFF", {}, {"HARD0": "GND_WIRE", "HARD1": "VCC_WIRE"}),
            ],
            "switches": [(f"BRAM_FIFO18_{pin}", "VCC_WIRE") for pin in MEMORY_INPUTS],
            "fixed": [(f"BRAM_FIFO18_{pin}", "VCC_WIRE", "default") for pin in MEMORY_INPUTS],
            "bits": memory,
        },
    }


def _connections() -> list[dict[str, Any]]:
    """Which wires are one, by the types of tiles and how far they are from each other, rows counted downwards."""

    def rule(here: str, there: str, dx: int, dy: int, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
        return {"tile_types": [here, there], "grid_deltas": [dx, dy], "wire_pairs": [list(pair) for pair in pairs]}

    return [
        rule(
            "SWITCHES",
            "LOGIC",
            1,
            0,
            [(f"TO_{pin}", pin) for pin in SLICE_INPUTS] + [(f"FROM_{pin}", f"OUT_{pin}") for pin in SLICE_OUTPUTS],
        ),
        rule(
            "PROCESSOR",
            "SWITCHES",
            2,
            0,
            [(f"PS7_{pin}", f"TO_{pin}") for pin in PROCESSOR_INPUTS]
            + [(f"PS7_{pin}", f"FROM_{pin}") for pin in PROCESSOR_OUTPUTS[1:]],
        ),
        rule("PROCESSOR", "CLOCKS", 1, 0, [("PS7_FCLKCLK0", "FCLK")]),
        rule("CLOCKS", "SWITCHES", 1, 0, [("ROW", "CLOCK")]),
        rule("CLOCKS", "SWITCHES", 1, -1, [("ROW", "CLOCK")]),
        rule(
            "SWITCHES",
            "SWITCHES",
            0,
            -1,
            [("TO_BETWEEN0", "FROM_BETWEEN0"), ("FROM_BETWEEN1", "TO_BETWEEN1"), (LONG, LONG)],
        ),
        rule("LOGIC", "LOGIC", 0, -1, [("OUT_COUT", "CIN")]),
        rule("SWITCHES", "MEMORY", 2, 0, [(f"FROM_{pin}", f"BRAM_FIFO18_{pin}") for pin in MEMORY_OUTPUTS]),
    ]


def write_database(folder: Path) -> Path:
    """Write the family's folder."""
    device, part = folder / "xctiny", folder / PART
    device.mkdir(parents=True)
    part.mkdir()
    columns = {"0": {"frame_count": 30}, "1": {"frame_count": FRAMES}, "2": {"frame_count": FRAMES}}
    top = {
        "CLB_IO_CLK": {"configuration_columns": columns},
        "BLOCK_RAM": {"configuration_columns": {"0": {"frame_count": 8}}},
    }
    bottom = {"CLB_IO_CLK": {"configuration_columns": {"0": {"frame_count": FRAMES}}}}
    rows = {
        "top": {"rows": {"0": {"configuration_buses": top}}},
        "bottom": {"rows": {"0": {"configuration_buses": bottom}}},
    }
    _write(part / "part.json", {"idcode": IDCODE, "global_clock_regions": rows, "iobanks": {}})
    grid: dict[str, Any] = {}
    directions: dict[str, dict[str, str]] = {}
    for name, (type_, x, y, address, word) in TILES.items():
        block = {"baseaddr": f"0x{address or 0:08X}", "frames": FRAMES, "offset": word, "words": 20}
        bits = {"CLB_IO_CLK": block} if address is not None else {}
        grid[name] = {"type": type_, "grid_x": x, "grid_y": y, "bits": bits, "sites": {"any": "any"}}
    for name, data in _tile_types().items():
        pips = {
            f"{name}.{source}->>{sink}": {"dst_wire": sink, "src_wire": source, "is_directional": "1"}
            for sink, source in data["switches"]
        }
        _write(
            folder / f"tile_type_{name}.json", {"tile_type": name, "pips": pips, "sites": data["sites"], "wires": {}}
        )
        fixed = "".join(f"{name}.{sink}.{source} {kind}\n" for sink, source, kind in data.get("fixed", ()))
        (folder / f"ppips_{name.lower()}.db").write_text(fixed)
        if "bits" in data:
            (folder / f"segbits_{name.lower()}.db").write_text("\n".join(data["bits"].lines) + "\n")
        for site in data["sites"]:
            ways = directions.setdefault(site["type"], {})
            for pin, at in site["site_pins"].items():
                wire = at["wire"]
                out = wire.startswith("OUT_") or pin in (*PROCESSOR_OUTPUTS, *MEMORY_OUTPUTS, "O", "HARD0", "HARD1")
                ways[pin] = "OUT" if out else "IN"
    for type_, ways in directions.items():
        _write(
            folder / f"site_type_{type_}.json",
            {"type": type_, "site_pins": {pin: {"direction": way} for pin, way in ways.items()}},
        )
    _write(device / "tilegrid.json", grid)
    _write(device / "tileconn.json", _connections())
    return folder


def _write(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data))


def bits_of(database: Database, features: Mapping[str, Iterable[str]]) -> npt.NDArray[np.uint8]:
    """The bits of all frames that features set, with the error-correcting codes of the frames."""
    order = frames.addresses(database.part_data)
    bits = np.zeros((len(order), frames.BITS), np.uint8)
    for tile, names in features.items():
        (block,) = database.blocks(tile)
        patterns = {pattern.feature: pattern for pattern in database.patterns(block.patterns_of, block.bus)}
        for name in names:
            for minor, bit in patterns[name].ones:
                bits[order.index(block.base_address + minor), 32 * block.offset + bit] = 1
    return with_codes(bits)


def with_codes(bits: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Bits of frames with the codes that belong to them."""
    bits = bits.copy()
    bits[:, frames.CODE] = frames.codes(bits)[:, None] >> np.arange(frames.CODE_BITS) & 1
    return bits


def bitstream(
    bits: npt.NDArray[np.uint8], idcode: int = IDCODE, part: str = "tinycq1", checksum: int | None = None
) -> bytes:
    """A ``.bit`` of the bits of all frames; ``checksum`` instead of the right one."""
    words = np.packbits(bits, axis=1, bitorder="little").view("<u4").astype(np.uint32).ravel()
    value, body = 0, []

    def write(register: int, payload: npt.NDArray[np.uint32]) -> None:
        nonlocal value
        value = packets.crc(register, payload, value)
        if len(payload) < 1 << 11:
            body.append(np.array([1 << 29 | 2 << 27 | register << 13 | len(payload)], np.uint32))
        else:
            body.append(np.array([1 << 29 | 2 << 27 | register << 13, 2 << 29 | 2 << 27 | len(payload)], np.uint32))
        body.append(payload)

    def one(register: int, word: int) -> None:
        write(register, np.array([word], np.uint32))

    one(packets.CMD, 7)
    value = 0
    one(packets.IDCODE, idcode)
    one(packets.FAR, 0)
    one(packets.CMD, 1)
    write(packets.FDRI, words)
    body.append(np.array([1 << 29], np.uint32))  # no operation
    one(packets.CRC, value if checksum is None else checksum)
    one(packets.CMD, packets.DESYNC)
    fields = b"".join(
        bytes([tag]) + (len(text) + 1).to_bytes(2, "big") + text.encode() + b"\0"
        for tag, text in zip(b"abcd", ("tiny", part, "", ""))
    )
    packets_ = b"\xff" * 16 + bytes.fromhex("aa995566") + np.concatenate(body).astype(">u4").tobytes()
    return b"\x00\x09" + b"\x0f\xf0" * 4 + b"\x00\x00\x01" + fields + b"e" + len(packets_).to_bytes(4, "big") + packets_
