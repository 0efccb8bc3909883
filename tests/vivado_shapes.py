"""A .hwh of this design with what those of Vivado have besides: a larger design of the same release, or an older one.

The shapes are those of the overlays that PYNQ ships and of exports of 2018.1 to 2022.1: an XML declaration with
``standalone``, documents and registers in modules, pins with bounds, pins and interfaces that are connected to nothing
or to the design's own ports, both spellings of a parameter, other cells in hierarchies, a second DMA whose interrupts
take the first lines of the concatenation, no mark on the processor (before 2020), and INITIATOR and TARGET for the
ends of a bus (since 2020.2).
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from pynq_ee.generate import hwh
from pynq_ee.network import spec
from pynq_ee.sim import recorded_designs

#: The other DMA: a scatter-gather one with the default length register, in a hierarchy.
OTHER_DMA = "video_other_dma"
OTHER_BASE = 0x4000_0000
GPIO = "buttons"

CONCAT, CONTROLLER = "interrupt_concat", "interrupt_controller"


def write(board: spec.Board, path: Path, newer: bool) -> Path:
    """Write the description of a board's design, as a newer release of Vivado writes it or an older one."""
    plain = hwh.write(recorded_designs.load(board.name, spec.DEFAULT.beat_bits), path)
    root = ElementTree.parse(plain).getroot()
    root.set("TIMESTAMP", "Sun May  1 12:00:00 2022")
    root.set("VIVADOVERSION", "2022.1" if newer else "2018.1")
    info = root.find("SYSTEMINFO")
    info.set("BOARD", "")
    if board.processor == "zynq7":
        info.set("DEVICE", info.get("DEVICE").removeprefix("xc"))
    modules = {module.get("INSTANCE"): module for module in root.iter("MODULE")}
    processor = next(module for module in modules.values() if module.get("IS_PL"))
    for module in modules.values():
        _dress(module, newer)
    if not newer:
        del processor.attrib["IS_PL"]
    _spell_twice(modules[spec.DMA_NAME])
    base = board.dma_address & 0xF000_0000 if board.processor == "zynqmp" else OTHER_BASE
    _add(root, processor, OTHER_DMA, "xilinx.com:ip:axi_dma:7.1", "S_AXI_LITE", base + 0x8_0000)
    _add(root, processor, GPIO, "xilinx.com:ip:axi_gpio:2.0", "S_AXI", base + 0x9_0000)
    other = next(module for module in root.iter("MODULE") if module.get("INSTANCE") == OTHER_DMA)
    other.set("FULLNAME", "/" + OTHER_DMA.replace("_", "/", 1))
    for name, value in (("c_include_sg", "1"), ("c_sg_length_width", "14"), ("C_SG_LENGTH_WIDTH", "14")):
        SubElement(other.find("PARAMETERS"), "PARAMETER", NAME=name, VALUE=value)
    _interrupt_before_the_others(modules, other)
    _external_ports(root)
    text = ElementTree.tostring(root, encoding="unicode")
    path.write_text(f'<?xml version="1.0" encoding="UTF-8" standalone="no" ?>\n{text}\n')
    return path


def _dress(module: Element, newer: bool) -> None:
    module.insert(0, Element("DOCUMENTS"))
    SubElement(module[0], "DOCUMENT", SOURCE="http://www.xilinx.com/cgi-bin/docs/ipdoc?c=some_ip;v=v1_0;d=pg000.pdf")
    module.set("COREREVISION", "0")
    SubElement(module.find("PARAMETERS"), "PARAMETER", NAME="Component_Name", VALUE=f"d_{module.get('INSTANCE')}_0")
    SubElement(module.find("PARAMETERS"), "PARAMETER", NAME="EDK_IPTYPE", VALUE="PERIPHERAL")
    for port in module.iterfind("PORTS/PORT"):
        if port.get("SIGIS") == "clk":
            port.set("CLKFREQUENCY", "100000000")
        if module.get("MODTYPE") in ("xlconcat", "axi_intc"):  # a vector's pins are no interrupts to Vivado
            port.attrib.update(LEFT="0", RIGHT="0", SIGIS="undef" if port.get("NAME") != "irq" else "INTERRUPT")
    for interface in module.iterfind("BUSINTERFACES/BUSINTERFACE"):
        if newer:
            interface.set("TYPE", {"MASTER": "INITIATOR", "SLAVE": "TARGET"}[interface.get("TYPE")])
        SubElement(interface, "PARAMETER", NAME="DATA_WIDTH", VALUE="64")
        physical = f"{interface.get('NAME').lower()}_valid"
        SubElement(SubElement(interface, "PORTMAPS"), "PORTMAP", LOGICAL="TVALID", PHYSICAL=physical)
        SubElement(module.find("PORTS"), "PORT", DIR="O", NAME=physical, SIGIS="undef", SIGNAME=f"net_{physical}")
    if module.get("MODTYPE") == "xlconcat":  # has its lines, and nothing else
        return
    SubElement(module.find("PORTS"), "PORT", DIR="I", LEFT="3", NAME="spare", RIGHT="0", SIGIS="undef")
    kind = "INITIATOR" if newer else "MASTER"
    SubElement(
        module.find("BUSINTERFACES"), "BUSINTERFACE", BUSNAME="__NOC__", NAME="SPARE", TYPE=kind, VLNV="a:b:c:1.0"
    )


def _spell_twice(module: Element) -> None:
    """The parameters of the HDL in capitals before those of the customization, of the same values."""
    parameters = module.find("PARAMETERS")
    for place, parameter in enumerate(list(parameters)):
        if parameter.get("NAME").startswith("c_"):
            capital = Element("PARAMETER", NAME=parameter.get("NAME").upper(), VALUE=parameter.get("VALUE"))
            parameters.insert(place, capital)


def _add(root: Element, processor: Element, name: str, vlnv: str, interface: str, base: int) -> None:
    """Another cell with registers, before those of the design, and its place in the processor's map."""
    module = Element(
        "MODULE", FULLNAME=f"/{name}", HWVERSION=vlnv.rpartition(":")[2], INSTANCE=name, IPTYPE="PERIPHERAL",
        IS_ENABLE="1", MODCLASS="PERIPHERAL", MODTYPE=vlnv.split(":")[2], VLNV=vlnv,
    )  # fmt: skip
    for part in ("DOCUMENTS", "PARAMETERS", "PORTS", "BUSINTERFACES"):
        SubElement(module, part)
    root.find("MODULES").insert(0, module)
    entry = next(iter(processor.iter("MEMRANGE")))
    values = {**entry.attrib, "INSTANCE": name, "SLAVEBUSINTERFACE": interface}
    values |= {"BASEVALUE": f"0x{base:08X}", "HIGHVALUE": f"0x{base + 0xFFFF:08X}"}
    processor.find("MEMORYMAP").insert(0, Element("MEMRANGE", values))


def _interrupt_before_the_others(modules: dict[str, Element], other: Element) -> None:
    """The other DMA's interrupt on line 0 of the concatenation; those of the design move up by one."""
    concat = modules[CONCAT]
    moved = {}
    for port in concat.iterfind("PORTS/PORT"):
        if found := re.fullmatch(r"In(\d+)", port.get("NAME")):
            moved[port.get("NAME")] = f"In{int(found[1]) + 1}"
            port.set("NAME", moved[port.get("NAME")])
    for connection in _connections_to(modules, CONCAT):
        connection.set("PORT", moved.get(connection.get("PORT"), connection.get("PORT")))
    for name in ("NUM_PORTS", "dout_width"):
        parameter = concat.find(f"PARAMETERS/PARAMETER[@NAME='{name}']")
        if parameter is None:
            parameter = SubElement(concat.find("PARAMETERS"), "PARAMETER", NAME=name)
        parameter.set("VALUE", str(len(moved) + 1))
    net = f"{OTHER_DMA}_s2mm_introut"
    for module, direction, pin, far, far_pin in (
        (other, "O", "s2mm_introut", CONCAT, "In0"),
        (concat, "I", "In0", OTHER_DMA, "s2mm_introut"),
    ):
        port = Element("PORT", DIR=direction, NAME=pin, SIGIS="INTERRUPT", SIGNAME=net)
        module.find("PORTS").insert(0, port)  # in the order of the lines, by which pynq counts them
        SubElement(SubElement(port, "CONNECTIONS"), "CONNECTION", INSTANCE=far, PORT=far_pin)


def _connections_to(modules: dict[str, Element], name: str) -> Iterator[Element]:
    for module in modules.values():
        for connection in module.iter("CONNECTION"):
            if connection.get("INSTANCE") == name:
                yield connection


def _external_ports(root: Element) -> None:
    ports = root.find("EXTERNALPORTS")
    port = SubElement(
        ports, "PORT", DIR="I", LEFT="3", NAME="btns", RIGHT="0", SIGIS="undef", SIGNAME="External_Ports_btns"
    )
    SubElement(SubElement(port, "CONNECTIONS"), "CONNECTION", INSTANCE=GPIO, PORT="gpio_io_i")
    interface = SubElement(
        root.find("EXTERNALINTERFACES"), "BUSINTERFACE", BUSNAME="d_DDR", NAME="DDR", TYPE="INITIATOR"
    )
    SubElement(SubElement(interface, "PORTMAPS"), "PORTMAP", LOGICAL="ADDR", PHYSICAL="DDR_addr")
