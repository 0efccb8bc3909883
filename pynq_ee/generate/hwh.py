"""The hardware description (.hwh) of a block design, as far as pynq reads one.

Vivado writes a .hwh beside each bitstream, and pynq learns from it what is in the fabric. This module writes one from
a *design description*, plain data that says what Vivado would be told. There are two: the block design that
``hw/build.tcl`` makes, recorded from its run (:mod:`pynq_ee.sim.recorded_designs`), so that the simulated board has the
very design that Vivado is told to build; and the overlay of ``hw/rtl``, for which no tool writes a .hwh
(:mod:`pynq_ee.generate.rtl_design`)::

    {
      "name": "first_exit",                          block design, and overlay
      "board": "pynq-z2",
      "part": "xc7z020clg400-1",
      "cells": {                                     create_bd_cell -vlnv, set_property CONFIG.*
        "axi_dma": {"vlnv": "xilinx.com:ip:axi_dma:7.1", "config": {"c_include_sg": "0", ...}},
        ...
      },
      "interfaces": [                                connect_bd_intf_net, the master first
        ["axi_dma/M_AXIS_MM2S", "first_exit/images"], ...
      ],
      "nets": [                                      connect_bd_net: clocks, resets, interrupts; the driver first
        ["processing_system/FCLK_CLK0", "axi_dma/s_axi_lite_aclk", ...], ...
      ],
      "addresses": [                                 assign_bd_address: which cell sees which interface, and where
        {"master": "processing_system", "slave": "axi_dma/S_AXI_LITE", "base": 1077936128, "range": 65536}, ...
      ]
    }

Names of settings are without ``CONFIG.``, values are strings. Cell names may be paths (``hierarchy/cell``). A name
without a slash in a connection is a port of the design; pynq reads nothing of these, and they are left out. What
Vivado derives from such a description is derived here and in :mod:`pynq_ee.generate.ip_details`.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pynq_ee.files import write_atomically
from pynq_ee.generate import ip_details

Design = dict[str, Any]

_PROCESSORS = tuple(ip_details.IO_PLL_MHZ)
_INTERCONNECTS = ("axi_interconnect", "smartconnect", "axi_smc", "axi3_lite_bridge", "axi_join")

_CLOCK_PIN = re.compile(r"(clk|aclk|CLK)\d*$|FCLK_CLK\d$|pl_clk\d$", re.IGNORECASE)
_RESET_PIN = re.compile(r"(rst|reset)", re.IGNORECASE)
_INTERRUPT_PIN = re.compile(r"introut$|^interrupt$|^irq$|^intr$|^IRQ_F2P$|^pl_ps_irq\d$")


def write(design: Design, path: str | os.PathLike[str]) -> Path:
    """Write a design's .hwh.

    Raises
    ------
    ValueError
        A connection or an address that names no cell, or an address that no master reaches.
    """
    text = ElementTree.tostring(_system(design), encoding="UTF-8", xml_declaration=True)
    return write_atomically(path, text)


# The document --------------------------------------------------------------------------------------------------------


def _system(design: Design) -> ElementTree.Element:
    _check(design)
    root = ElementTree.Element("EDKSYSTEM", EDWVERSION="1.2", VIVADOVERSION="none")
    ElementTree.SubElement(root, "SYSTEMINFO", {**_part(design["part"]), "NAME": design["name"]})
    ElementTree.SubElement(root, "EXTERNALPORTS")
    ElementTree.SubElement(root, "EXTERNALINTERFACES")
    modules = ElementTree.SubElement(root, "MODULES")
    for name in sorted(design["cells"]):
        modules.append(_module(design, name))
    return root


def _part(part: str) -> dict[str, str]:
    """Attributes of SYSTEMINFO: a part number in Vivado's pieces."""
    if match := re.fullmatch(r"xc(7z\d+)([a-z]+\d+)(-.+)", part):
        architecture = "zynq"
    elif match := re.fullmatch(r"(xczu[a-z0-9]+|xck\d+)-([a-z0-9]+)-(.+)", part):
        architecture = "zynquplus"
    else:
        raise ValueError(f"part is {part!r}; a part of the Zynq-7000 or the Zynq UltraScale+ family is needed")
    device, package, grade = match.groups()
    return {"ARCH": architecture, "DEVICE": device, "PACKAGE": package, "SPEEDGRADE": f"-{grade.lstrip('-')}"}


def _check(design: Design) -> None:
    pins = [pin for group in (*design["interfaces"], *design["nets"]) for pin in group if "/" in pin]
    pins += [pin for entry in design["addresses"] for pin in (f"{entry['master']}/", entry["slave"])]
    for pin in pins:
        if _cell(pin) not in design["cells"]:
            raise ValueError(f"{pin} is on no cell of the design {design['name']}; cells are {sorted(design['cells'])}")


def _cell(pin: str) -> str:
    return pin.rpartition("/")[0]


def _port(pin: str) -> str:
    return pin.rpartition("/")[2]


def _instance(cell: str) -> str:
    """Name of a cell where Vivado allows no slash."""
    return cell.replace("/", "_")


def _ip(design: Design, cell: str) -> str:
    """Name of the IP that a cell is an instance of."""
    return str(design["cells"][cell]["vlnv"].split(":")[2])


def _module(design: Design, cell: str) -> ElementTree.Element:
    vlnv, ip = design["cells"][cell]["vlnv"], _ip(design, cell)
    module = ElementTree.Element(
        "MODULE",
        FULLNAME=f"/{cell}",
        HWVERSION=vlnv.rpartition(":")[2],
        INSTANCE=_instance(cell),
        IPTYPE="PERIPHERAL",
        IS_ENABLE="1",
        MODCLASS="PERIPHERAL",
        MODTYPE=ip,
        VLNV=vlnv,
    )
    if ip in _PROCESSORS:
        module.set("IS_PL", "FALSE")
    blocks = ElementTree.SubElement(module, "ADDRESSBLOCKS")
    for interface, registers in _register_interfaces(design, cell):
        block = ElementTree.SubElement(
            blocks, "ADDRESSBLOCK", ACCESS="read-write", INTERFACE=interface, NAME="Reg", USAGE="register"
        )
        ElementTree.SubElement(block, "REGISTERS").extend(registers)
    parameters = ElementTree.SubElement(module, "PARAMETERS")
    for name, value in ip_details.parameters(ip, design["cells"][cell]["config"]).items():
        ElementTree.SubElement(parameters, "PARAMETER", NAME=name, VALUE=value)
    ElementTree.SubElement(module, "PORTS").extend([*_ports(design, cell)])
    ElementTree.SubElement(module, "BUSINTERFACES").extend([*_bus_interfaces(design, cell)])
    ElementTree.SubElement(module, "MEMORYMAP").extend([*_memory_ranges(design, cell)])
    return module


def _ports(design: Design, cell: str) -> Iterator[ElementTree.Element]:
    for net in design["nets"]:
        signal = net[0].replace("/", "_")
        for pin in net:
            if _cell(pin) != cell:
                continue
            name = _port(pin)
            kind = (
                "INTERRUPT"
                if _INTERRUPT_PIN.search(name)
                else "rst"
                if _RESET_PIN.search(name)
                else "clk"
                if _CLOCK_PIN.search(name)
                else "undef"
            )
            port = ElementTree.Element("PORT", DIR="O" if pin == net[0] else "I", NAME=name, SIGIS=kind, SIGNAME=signal)
            connections = ElementTree.SubElement(port, "CONNECTIONS")
            for other in (end for end in (net[1:] if pin == net[0] else net[:1]) if "/" in end):
                ElementTree.SubElement(connections, "CONNECTION", INSTANCE=_instance(_cell(other)), PORT=_port(other))
            yield port


def _bus_interfaces(design: Design, cell: str) -> Iterator[ElementTree.Element]:
    for master, slave in design["interfaces"]:
        if "/" not in master or "/" not in slave:
            continue
        protocol = "axis" if "AXIS" in master.upper() or "AXIS" in slave.upper() else "aximm"
        for pin, kind in ((master, "MASTER"), (slave, "SLAVE")):
            if _cell(pin) == cell:
                yield ElementTree.Element(
                    "BUSINTERFACE",
                    BUSNAME=master.replace("/", "_"),
                    NAME=_port(pin),
                    TYPE=kind,
                    VLNV=f"xilinx.com:interface:{protocol}:1.0",
                )


def _memory_ranges(design: Design, cell: str) -> Iterator[ElementTree.Element]:
    for entry in design["addresses"]:
        if entry["master"] != cell:
            continue
        slave = entry["slave"]
        through = sorted(_port(pin) for pin in _masters(design, slave) if _cell(pin) == cell)
        if not through:
            raise ValueError(f"no interface of {cell} reaches {slave}; connect them, or drop the address")
        memory = _ip(design, _cell(slave)) in _PROCESSORS
        for interface in through:
            yield ElementTree.Element(
                "MEMRANGE",
                ADDRESSBLOCK=f"{_port(slave)}_DDR_LOW" if memory else "Reg",
                BASENAME="C_BASEADDR",
                BASEVALUE=f"0x{entry['base']:08X}",
                HIGHNAME="C_HIGHADDR",
                HIGHVALUE=f"0x{entry['base'] + entry['range'] - 1:08X}",
                INSTANCE=_instance(_cell(slave)),
                IS_DATA="TRUE",
                IS_INSTRUCTION="TRUE",
                MASTERBUSINTERFACE=interface,
                MEMTYPE="MEMORY" if memory else "REGISTER",
                SLAVEBUSINTERFACE=_port(slave),
            )


def _masters(design: Design, slave: str) -> set[str]:
    """Master interfaces that reach a slave interface, directly or through interconnects."""
    found: set[str] = set()
    waiting, seen = [slave], {slave}
    while waiting:
        pin = waiting.pop()
        for master in (pair[0] for pair in design["interfaces"] if pair[1] == pin and "/" in pair[0]):
            if _ip(design, _cell(master)) not in _INTERCONNECTS:
                found.add(master)
                continue
            for _, inner in design["interfaces"]:
                if _cell(inner) == _cell(master) and inner not in seen:
                    seen.add(inner)
                    waiting.append(inner)
    return found


def _register_interfaces(design: Design, cell: str) -> Iterator[tuple[str, list[ElementTree.Element]]]:
    """AXI4-Lite interface of a cell, with its registers, where there are some to be told."""
    if registers := ip_details.registers(design["cells"][cell]["vlnv"]):
        for _, slave in design["interfaces"]:
            if _cell(slave) == cell and _port(slave).lower().startswith("s_axi_"):
                yield _port(slave), registers
