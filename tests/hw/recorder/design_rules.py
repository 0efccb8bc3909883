"""What a recorded block design must satisfy: each rule yields a sentence for every violation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pynq_ee.network import spec as _spec
from pynq_ee.network.spec import Board, Spec

Design = dict[str, Any]


def violations(design: Design, spec: Spec, board: Board) -> list[str]:
    """Every violation of every rule, as sentences."""
    return [
        *_part(design, board),
        *_interfaces_connected_once(design),
        *_pins_driven(design),
        *_one_clock(design),
        *_resets(design),
        *_interface_widths(design, spec),
        *_memory_width(design),
        *_interrupts(design),
        *_addresses(design, board),
        *_segments(design),
        *_dma(design),
        *_finished(design),
    ]


def cell_of(path: str) -> str:
    return path.partition("/")[0]


def _of_ip(design: Design, name: str) -> list[str]:
    return [cell for cell, entry in design["cells"].items() if entry["vlnv"].split(":")[2] == name]


def _processor(design: Design) -> str:
    return (_of_ip(design, "processing_system7") + _of_ip(design, "zynq_ultra_ps_e"))[0]


def _driver(design: Design, pin: str) -> str | None:
    return next((net[0] for net in design["nets"] if pin in net[1:]), None)


def _part(design: Design, board: Board) -> Iterator[str]:
    if design["part"] != board.part:
        yield f"the part is {design['part']}, the board has {board.part}"


def _interfaces_connected_once(design: Design) -> Iterator[str]:
    ends = Counter(end for pair in design["interfaces"] for end in pair)
    ends.update(design["details"]["ports"].values())
    for path in design["details"]["interfaces"]:
        if ends[path] != 1:
            yield f"interface {path} is connected {ends[path]} times"


def _pins_driven(design: Design) -> Iterator[str]:
    ends = Counter(pin for net in design["nets"] for pin in net)
    for path, pin in design["details"]["pins"].items():
        if ends[path] > 1 or (ends[path] == 0 and not pin["optional"]):
            yield f"pin {path} is connected {ends[path]} times"
    for net in design["nets"]:
        directions = [design["details"]["pins"][pin]["direction"] for pin in net]
        if directions != ["out"] + ["in"] * (len(net) - 1):
            yield f"net of {net[0]} has no single driver: {net}"


def _one_clock(design: Design) -> Iterator[str]:
    pins = design["details"]["pins"]
    sinks = [path for path, pin in pins.items() if pin["type"] == "clk" and pin["direction"] == "in"]
    clocks = {_driver(design, path) for path in sinks} - {None}
    if len(clocks) != 1 or cell_of(str(min(clocks, key=str))) != _processor(design):
        yield f"the clocks are {sorted(map(str, clocks))}; there is one, the processor's"
    for path, interface in design["details"]["interfaces"].items():
        if interface["protocol"] in ("aximm", "axis") and f"{cell_of(path)}/{interface['clock']}" not in sinks:
            yield f"interface {path} has no clock pin {interface['clock']}"


def _resets(design: Design) -> Iterator[str]:
    for path, pin in design["details"]["pins"].items():
        if pin["type"] != "rst" or pin["direction"] != "in" or pin["optional"]:
            continue
        source = _driver(design, path)
        if cell_of(path) in _of_ip(design, "proc_sys_reset"):
            expected = _processor(design)
        elif path == f"{_spec.KERNEL_NAME}/ap_rst_n":
            expected = _spec.DMA_NAME  # its soft reset resets the kernel
        else:
            expected = "reset_control"
        if source is not None and (cell_of(source) != expected or design["details"]["pins"][source]["type"] != "rst"):
            yield f"reset {path} comes from {source}, not from {expected}"


def _interface_widths(design: Design, spec: Spec) -> Iterator[str]:
    interfaces = design["details"]["interfaces"]
    for master, slave in design["interfaces"]:
        widths = [interfaces[end]["width"] for end in (master, slave)]
        if widths[0] != widths[1] and "auto" not in widths:
            yield f"{master} is {widths[0]} bit wide, {slave} is {widths[1]}"
        for end, width in zip((master, slave), widths):
            if interfaces[end]["protocol"] == "axis" and width != str(spec.beat_bits):
                yield f"stream {end} is {width} bit wide, a beat has {spec.beat_bits}"


def _memory_width(design: Design) -> Iterator[str]:
    interfaces = design["details"]["interfaces"]
    (port,) = [slave for _, slave in design["interfaces"] if cell_of(slave) == _processor(design)] or [None]
    for path in (f"{_spec.DMA_NAME}/M_AXI_MM2S", f"{_spec.DMA_NAME}/M_AXI_S2MM"):
        if port and path in interfaces and interfaces[path]["width"] != interfaces[port]["width"]:
            yield f"{path} is {interfaces[path]['width']} bit wide, the memory port {port} {interfaces[port]['width']}"


def _interrupts(design: Design) -> Iterator[str]:
    pins = design["details"]["pins"]
    concat = (_of_ip(design, "xlconcat") + _of_ip(design, "ilconcat"))[0]
    controller = _of_ip(design, "axi_intc")[0]
    inputs = [path for path in pins if path.startswith(f"{concat}/In")]
    sources = {_driver(design, path) for path in inputs}
    wanted = {f"{_spec.DMA_NAME}/mm2s_introut", f"{_spec.DMA_NAME}/s2mm_introut", f"{_spec.KERNEL_NAME}/interrupt"}
    if sources != wanted:
        yield f"the interrupts are {sorted(map(str, sources))}, not {sorted(wanted)}"
    if pins[f"{concat}/dout"]["width"] != str(len(inputs)):
        yield f"{concat}/dout is {pins[f'{concat}/dout']['width']} bit wide for {len(inputs)} interrupts"
    if _driver(design, f"{controller}/intr") != f"{concat}/dout":
        yield f"{controller}/intr is not driven by {concat}/dout"
    lines = [path for path, pin in pins.items() if pin["type"] == "intr" and cell_of(path) == _processor(design)]
    if [_driver(design, line) for line in lines] != [f"{controller}/irq"]:
        yield f"the processor's interrupts {lines} are not driven by {controller}/irq"


def _reaches(design: Design, master: str, slave: str) -> bool:
    """Whether a master interface leads to a slave interface, directly or through an interconnect."""
    interconnects = _of_ip(design, "smartconnect")
    for first, second in design["interfaces"]:
        if first == master:
            if second == slave:
                return True
            return cell_of(second) in interconnects and any(
                _reaches(design, other, slave) for other, _ in design["interfaces"] if cell_of(other) == cell_of(second)
            )
    return False


def _addresses(design: Design, board: Board) -> Iterator[str]:
    spaces = design["details"]["spaces"]
    for index, one in enumerate(spaces):
        for other in spaces[index + 1 :]:
            apart = one["base"] + one["range"] <= other["base"] or other["base"] + other["range"] <= one["base"]
            if one["space"] == other["space"] and not apart:
                yield f"{one['segment']} and {other['segment']} overlap in {one['space']}"
    found = {(entry["master"], entry["slave"]): (entry["base"], entry["range"]) for entry in design["addresses"]}
    processor, dma = _processor(design), _spec.DMA_NAME
    port = next((slave for _, slave in design["interfaces"] if cell_of(slave) == processor), None)
    memory = 0x20000000 if board.processor == "zynq7" else 0x80000000
    wanted = {
        (processor, f"{dma}/S_AXI_LITE"): (board.dma_address, _spec.DMA_RANGE),
        (processor, f"{_spec.KERNEL_NAME}/s_axi_control"): (board.kernel_address, _spec.KERNEL_RANGE),
        (processor, "interrupt_controller/s_axi"): (board.interrupt_address, _spec.INTERRUPT_RANGE),
        (dma, port): (0, memory),
    }
    if found != wanted:
        yield f"addresses are {found}, not {wanted}"
    masters = {entry["master"] for entry in spaces}
    if {f"{dma}/M_AXI_MM2S", f"{dma}/M_AXI_S2MM"} - masters:
        yield f"the memory is seen through {sorted(masters)}, not through both ports of the DMA"
    for entry in spaces:
        slave = _slave(design, entry["segment"])
        if not _reaches(design, entry["master"], slave):
            yield f"{entry['segment']} has an address in {entry['space']}, but {entry['master']} does not reach {slave}"


def _slave(design: Design, segment: str) -> str:
    """The slave interface of an address segment: the one of its cell that the design gives an address."""
    return next(entry["slave"] for entry in design["addresses"] if cell_of(entry["slave"]) == cell_of(segment))


def _segments(design: Design) -> Iterator[str]:
    """Vivado warns critically of a segment that a master reaches and that has neither an address nor none by wish."""
    details = design["details"]
    assigned = {(entry["space"], entry["segment"]) for entry in details["spaces"]}
    excluded = {(entry["space"], entry["segment"]) for entry in details["excluded"]}
    for space, master in details["seen"].items():
        for segment, slave in details["offered"].items():
            if _reaches(design, master, slave) and (space, segment) not in assigned | excluded:
                yield f"{segment} is neither assigned in {space} nor excluded from it"
    for space, segment in sorted(assigned & excluded):
        yield f"{segment} is assigned in {space} and excluded from it"


def _dma(design: Design) -> Iterator[str]:
    cell = design["cells"].get(_spec.DMA_NAME, {"vlnv": "missing", "config": {}})
    if cell["vlnv"] != _spec.DMA_VLNV:
        yield f"the DMA is {cell['vlnv']}, not {_spec.DMA_VLNV}"
    wanted = {
        "c_include_sg": "0",
        "c_micro_dma": "0",
        "c_sg_length_width": str(_spec.DMA_LENGTH_BITS),
        # pynq asks the .hwh whether a transfer may start anywhere; it must find an answer
        "c_include_mm2s_dre": "0",
        "c_include_s2mm_dre": "0",
    }
    for name, value in wanted.items():
        if cell["config"].get(name) != value:
            yield f"{name} of the DMA is {cell['config'].get(name)}, not {value}"


def _finished(design: Design) -> Iterator[str]:
    for state in ("validated", "saved"):
        if not design["details"][state]:
            yield f"the design is not {state}"
