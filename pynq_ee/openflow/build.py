"""From a netlist to an overlay's files, rung by rung; nothing is published before the last one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pynq_ee.driver import bit_header, packed_overlay
from pynq_ee.errors import DataError, ToolError
from pynq_ee.files import write_atomically
from pynq_ee.generate import hwh, ip_details, rtl_design
from pynq_ee.network import spec
from pynq_ee.network.spec import Board
from pynq_ee.network.weights import Model
from pynq_ee.openflow import manifest, placement, rules, tools
from pynq_ee.openflow.tools import Tools

#: By how much the estimate must be above the clock, for what it does not cover.
MARGIN = 0.30

#: Minutes after which a program other than nextpnr-xilinx is taken for one that hangs.
_MINUTES = 60.0

#: What is told before a step, and how many steps there are.
Progress = Callable[[str], None]
STEPS = 7


@dataclass(frozen=True)
class Job:
    """What is to be made.

    Attributes
    ----------
    model, model_name
        The network, and the name or file that it is loaded by.
    netlist, simulated
        Of one synthesis of ``zynq7_top``: what ``write_json`` and ``write_verilog`` wrote.
    rtl
        The folder of the sources.
    clock_mhz, lowest_mhz
        The fabric's clock that is placed for, and the lowest one to be content with where the estimate falls short.
    seed
        The placer's random numbers.
    minutes
        After which nextpnr-xilinx is ended: where it cannot place it goes on without a word.
    work, target
        Where what the tools leave is, and where the overlay's files go.
    """

    model: Model
    model_name: str
    netlist: Path
    simulated: Path
    rtl: Path
    board: Board
    clock_mhz: float
    lowest_mhz: float
    seed: int
    minutes: float
    work: Path
    target: Path


def build(job: Job, found: Tools, yosys: str, progress: Progress = lambda step: None) -> Path:
    """Make ``.bit``, packed, ``.hwh`` and ``manifest.json``, and return the first's path.

    Parameters
    ----------
    yosys
        The version of what made the netlist.
    progress
        Called with the name of each of ``STEPS`` steps before it.

    Raises
    ------
    ToolError
        A tool fails, the netlist is wrong, or the bitstream is not the circuit.
    DataError
        The netlist breaks a rule, see :mod:`pynq_ee.openflow.rules`, or the estimate is too near to the lowest clock.
    """
    given = _given_mhz(job, job.clock_mhz)
    if abs(given - job.clock_mhz) > 1e-3:
        raise DataError(
            f"the processor gives no clock of {job.clock_mhz:g} MHz; the next below is {given:.3f}. Name another"
        )
    job.work.mkdir(parents=True, exist_ok=True)
    sources = manifest.sources(job.model, job.rtl)
    passed = []

    progress("rules")
    if violations := list(rules.broken(job.netlist)):
        raise DataError("\n".join([f"{job.netlist} cannot be judged behind nextpnr-xilinx:", *violations]))
    passed.append("registers beside all that is not timed (handshakes: within two gates), one clock, one global buffer")

    progress("simulate")
    _simulate(job, job.simulated, "the netlist that Yosys made is wrong; take another release")
    passed.append("synthesized netlist simulated")

    progress("route")
    placed = _place_and_route(job, found)
    clock_mhz = _clock_mhz(job, min(placed.mhz.values()))
    passed.append(f"placed and routed, estimate at least {MARGIN:.0%} above the clock")

    progress("pack")
    bit = _pack(job, found)

    progress("read back")
    decoded = job.work / "decoded.v"
    command = tools.python("pynq_ee.bitcheck", str(bit), "--database", str(found.database), "--verilog", str(decoded))
    tools.run(command, job.work / "bitcheck.log", _MINUTES, "the bitstream is no circuit, or no such database")
    nets = rules.clock_nets(decoded.read_text())
    if len(nets) != 1:
        raise DataError(f"{bit} clocks its registers by {len(nets)} nets ({', '.join(sorted(nets)[:5])}); it must be 1")
    passed.append("bitstream read back: no unknown bit, one driver each, one clock net")

    progress("simulate")
    _simulate(job, decoded, "the bitstream is another circuit than the netlist")
    passed.append("netlist of the bitstream simulated")

    progress("publish")
    design = rtl_design.describe(job.board, job.model.spec.beat_bits, clock_mhz)
    description = hwh.write(design, bit.with_suffix(".hwh"))
    content = manifest.content(
        job.model,
        job.board,
        clock_mhz,
        job.seed,
        placed,
        passed,
        {"yosys": yosys, "nextpnr-xilinx": tools.version(found.programs["nextpnr-xilinx"])},
        {
            "sha256": {path.name: manifest.digest(path) for path in (bit, description)},
            "source_sha256": sources,
            "netlist_sha256": {
                "synthesized": manifest.digest(job.netlist),
                "read_back": manifest.digest(decoded),
            },
        },
        tools.now(),
    )
    return _publish(job, bit, description, json.dumps(content, indent=2) + "\n")


def _given_mhz(job: Job, wanted_mhz: float) -> float:
    """What the processor's PLL gives where this clock is wanted, MHz; the estimate is compared with what is given."""
    design = rtl_design.describe(job.board, job.model.spec.beat_bits, wanted_mhz)
    (config,) = (cell["config"] for cell in design["cells"].values() if "processing_system7" in cell["vlnv"])
    return float(ip_details.parameters("processing_system7", config)["PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ"])


def _clock_mhz(job: Job, estimate: float) -> float:
    """The clock that was wanted, or the highest one of the processor's that has the margin, MHz."""
    if estimate >= job.clock_mhz * (1 + MARGIN):
        return job.clock_mhz
    highest = _given_mhz(job, estimate / (1 + MARGIN))
    if highest < job.lowest_mhz:
        raise DataError(
            f"the estimate is {estimate:g} MHz; a clock of {job.lowest_mhz:g} MHz with a margin of {MARGIN:.0%} needs "
            f"{job.lowest_mhz * (1 + MARGIN):g}. Take another --seed, or --at-least {highest:.3f}; "
            f"{job.work / 'critical-path.txt'} has the longest path"
        )
    return highest


def _simulate(job: Job, netlist: Path, hint: str) -> None:
    command = tools.python("pynq_ee.bench.circuit.netlist", str(netlist), "--model", job.model_name)
    tools.run(command, job.work / f"simulate-{netlist.stem}.log", 4 * _MINUTES, hint)


def _place_and_route(job: Job, found: Tools) -> placement.Placement:
    netlist, log = job.work / "placeable.json", job.work / "nextpnr.log"
    rules.write_placeable(job.netlist, netlist)
    command = [found.programs["nextpnr-xilinx"], "--chipdb", str(found.chip_database), "--json", str(netlist)]
    command += ["--fasm", str(job.work / "overlay.fasm"), "--seed", str(job.seed)]
    command += ["--freq", f"{job.clock_mhz * (1 + MARGIN):g}", "--timing-allow-fail"]
    hint = "where cells cannot be placed it goes on without a word: see its last lines, and take another --seed"
    tools.run(command, log, job.minutes, hint)
    placed = placement.read(log.read_text(errors="replace"))
    write_atomically(job.work / "critical-path.txt", (placed.path + "\n").encode())
    return placed


def _pack(job: Job, found: Tools) -> Path:
    part = job.board.part
    features, frames = job.work / "overlay.fasm", job.work / "overlay.frames"
    command = [found.programs["fasm2frames"], "--db-root", str(found.database), "--part", part]
    hint = f"it must know {part}: openXC7's own stops at a rule for other parts, that of f4pga's prjxray does not"
    tools.run([*command, str(features), str(frames)], job.work / "fasm2frames.log", _MINUTES, hint)
    raw = job.work / "raw.bit"
    command = [found.programs["xc7frames2bit"], "--part_file", str(found.database / part / "part.yaml")]
    command += ["--part_name", part, "--frm_file", str(frames), "--output_file", str(raw)]
    tools.run(command, job.work / "xc7frames2bit.log", _MINUTES, "see its output")
    bit = job.work / f"{spec.OVERLAY_NAME}.bit"
    bit.write_bytes(headed(raw.read_bytes(), job.board.part, job.model.build_id))
    return bit


def headed(raw: bytes, part: str, build_id: int) -> bytes:
    """A ``.bit`` of xc7frames2bit with the header that Vivado would write, by which the driver tells whose it is.

    Raises
    ------
    ToolError
        It is no ``.bit``.
    """
    place = len(bit_header.PREAMBLE)
    try:
        while raw[place] != bit_header.DATA:
            place += 3 + int.from_bytes(raw[place + 1 : place + 3], "big")
        length = int.from_bytes(raw[place + 1 : place + 5], "big")
    except IndexError:
        length = 0
    data = raw[place + 5 :]
    if not raw.startswith(bit_header.PREAMBLE) or not 0 < length == len(data):
        raise ToolError("xc7frames2bit wrote no whole .bit")
    return bit_header.compose(f"{spec.OVERLAY_NAME}_design", part, build_id, "open", len(data)) + data


def _publish(job: Job, bit: Path, description: Path, content: str) -> Path:
    """The bitstream first, the manifest last, each whole. A plain bitstream that lies there would be found before."""
    job.target.mkdir(parents=True, exist_ok=True)
    packed = job.target / f"{bit.name}{packed_overlay.SUFFIX}"
    packed.with_suffix("").unlink(missing_ok=True)
    write_atomically(packed, packed_overlay.pack(bit.read_bytes()))
    write_atomically(job.target / description.name, description.read_bytes())
    write_atomically(job.target / "manifest.json", content.encode())
    return packed
