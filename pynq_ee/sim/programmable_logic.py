"""The programmed fabric: what the .hwh of a bitstream says, made of the models of its parts, and joined.

Only what answers to the processor is modelled; interconnects, resets and clocks are taken as working. The accelerator
is reset by the DMA's soft reset where the .hwh says that its ``ap_rst_n`` comes from the DMA, and only there.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from pathlib import Path

from pynq_ee.driver import hardware_description
from pynq_ee.errors import DeviceError
from pynq_ee.network import spec
from pynq_ee.sim.accelerator import Accelerator
from pynq_ee.sim.axi_dma import AxiDma, Configuration
from pynq_ee.sim.axi_intc import AxiIntc
from pynq_ee.sim.bus import Bus, Target
from pynq_ee.sim.dram import Dram
from pynq_ee.sim.kernel import Kernel

_INTC = "axi_intc"

#: Inputs that an xlconcat can have.
_CONCATENATION_PORTS = 128

#: Addresses that the largest of the processors has.
_ADDRESS_BITS = 40

#: What the DMA can be configured to (Xilinx PG021).
_DMA_LIMITS = {"length_bits": (8, 26), "address_bits": (32, 64), "memory_bytes": (4, 128)}


class ProgrammableLogic:
    """One bitstream's circuits, in the state after programming.

    Parameters
    ----------
    hwh
        The hardware description of the bitstream.
    memory
        What the DMA reads and writes.
    kernel
        What the accelerator computes.
    beat_bytes
        Bytes of a beat of the accelerator's streams.
    on_run
        Called with the number of images and the mode of each run of the accelerator.

    Raises
    ------
    DeviceError
        A design that cannot be simulated: no DMA or accelerator, another IP at an address, widths that differ, a
        connection to nowhere, a value that is no number.
    OverlayError
        No .hwh, or a damaged one.
    """

    def __init__(
        self, hwh: Path, memory: Dram, kernel: Kernel, beat_bytes: int, on_run: Callable[[int, int], None]
    ) -> None:
        root = hardware_description.read(hwh)
        try:
            self._build(hwh, root, memory, kernel, beat_bytes, on_run)
        except (KeyError, ValueError) as error:
            raise DeviceError(f"{hwh} describes no design that can be simulated ({error!r}); build it again") from error

    def _build(
        self,
        hwh: Path,
        root: ElementTree.Element,
        memory: Dram,
        kernel: Kernel,
        beat_bytes: int,
        on_run: Callable[[int, int], None],
    ) -> None:
        modules = {module.get("INSTANCE", ""): module for module in root.iter("MODULE")}
        vlnvs = {name: module.get("VLNV", "") for name, module in modules.items()}
        dma_name, kernel_name = (_instance(hwh, vlnvs, known) for known in (spec.DMA_VLNVS, spec.KERNEL_VLNVS))
        configuration = Configuration.from_parameters(_parameters(modules[dma_name]))
        if configuration.beat_bytes != beat_bytes:
            raise DeviceError(
                f"the DMA in {hwh} has a stream of {8 * configuration.beat_bytes} bit, the kernel of the model one of "
                f"{8 * beat_bytes} bit; load the overlay that belongs to the model"
            )
        for name, (low, high) in _DMA_LIMITS.items():
            if not low <= getattr(configuration, name) <= high:
                raise ValueError(f"the DMA's {name} is {getattr(configuration, name)}; it must be {low} to {high}")
        self.dma = AxiDma(configuration, memory)
        self.accelerator = Accelerator(kernel, beat_bytes, on_run)
        self.parts: dict[str, object] = {"dma": self.dma, "accelerator": self.accelerator}
        #: Resets of the accelerator so far.
        self.resets = 0
        self._dma_resets = 0
        self._reset_by_dma = dma_name in _drivers(modules[kernel_name], "ap_rst_n")
        self._controllers: list[AxiIntc] = []
        targets: dict[str, Target] = {dma_name: self.dma, kernel_name: self.accelerator}
        for name, vlnv in vlnvs.items():
            if vlnv.split(":")[2:3] == [_INTC]:
                controller = AxiIntc(self._interrupt_lines(modules, name, dma_name, kernel_name))
                self._controllers.append(controller)
                targets[name] = controller
        self._ranges: list[tuple[int, int, Target]] = []
        for module in modules.values():
            if not hardware_description.is_processor(module):
                continue
            for entry in module.iter("MEMRANGE"):
                name, base = entry.get("INSTANCE", ""), _address(entry, "BASEVALUE")
                if name not in targets:
                    raise DeviceError(f"{hwh} has {vlnvs.get(name)} at 0x{base:x}, which is not simulated")
                self._ranges.append((base, _address(entry, "HIGHVALUE") - base + 1, targets[name]))

    def connect(self, bus: Bus) -> None:
        """Let the circuits answer at their addresses."""
        for base, size, target in self._ranges:
            bus.connect(base, size, target)

    def disconnect(self, bus: Bus) -> None:
        """Let them answer no longer."""
        for _, _, target in self._ranges:
            bus.disconnect(target)

    def settle(self) -> None:
        """Let everything happen that can happen without the processor.

        This is the only place where data moves between memory, streams and the kernel.
        """
        self.settle_reset()
        send, receive = self.dma.send, self.dma.receive
        while self.accelerator.settle(send, receive) or send.settle():
            pass

    def written(self) -> None:
        """Let everything happen that a written register sets going."""
        self.settle()

    def settle_reset(self) -> None:
        """Let a soft reset of the DMA reach what hangs on it."""
        if self._reset_by_dma and self.dma.resets != self._dma_resets:
            self.accelerator.reset()
            self.resets += 1
        self._dma_resets = self.dma.resets

    @property
    def interrupt(self) -> bool:
        """Level of the interrupt controllers' output to the processor."""
        return any(controller.interrupt for controller in self._controllers)

    def _interrupt_lines(
        self, modules: dict[str, ElementTree.Element], controller: str, dma: str, kernel: str
    ) -> list[Callable[[], bool]]:
        """Levels of the controller's inputs in order, followed through an xlconcat."""
        lines: list[Callable[[], bool]] = []
        for source, pin in _drivers_of(modules[controller], "intr"):
            concatenation = modules[source]
            inputs = [(source, pin)]
            if concatenation.get("VLNV", "").split(":")[2:3] == ["xlconcat"]:
                count = _number(_parameters(concatenation)["NUM_PORTS"], 1, _CONCATENATION_PORTS)
                inputs = [end for index in range(count) for end in _drivers_of(concatenation, f"In{index}")]
            for name, output in inputs:
                if name == dma:
                    lines.append(lambda output=output: self.dma.interrupt(output))  # type: ignore[misc]
                elif name == kernel:
                    lines.append(lambda: self.accelerator.interrupt)
        return lines


def _instance(hwh: Path, vlnvs: dict[str, str], known: Mapping[str, str]) -> str:
    found = [name for name, vlnv in vlnvs.items() if vlnv in known.values()]
    if len(found) != 1:
        wanted = " or ".join(known.values())
        raise DeviceError(f"{hwh} has {len(found)} cells of {wanted}; the simulated board runs designs with one")
    return found[0]


def _number(text: str, low: int, high: int, base: int = 10) -> int:
    if len(text) > 20 or not low <= (value := int(text, base)) <= high:
        raise ValueError(f"{text[:40]!r} is not a number from {low} to {high}")
    return value


def _address(entry: ElementTree.Element, name: str) -> int:
    return _number(entry.get(name, "0"), 0, (1 << _ADDRESS_BITS) - 1, base=16)


def _parameters(module: ElementTree.Element) -> dict[str, str]:
    return {entry.get("NAME", ""): entry.get("VALUE", "") for entry in module.iterfind("PARAMETERS/PARAMETER")}


def _drivers_of(module: ElementTree.Element, pin: str) -> list[tuple[str, str]]:
    """(instance, pin) pairs that a pin of a module is connected to."""
    return [
        (connection.get("INSTANCE", ""), connection.get("PORT", ""))
        for port in module.iterfind("PORTS/PORT")
        if port.get("NAME") == pin
        for connection in port.iter("CONNECTION")
    ]


def _drivers(module: ElementTree.Element, pin: str) -> set[str]:
    return {name for name, _ in _drivers_of(module, pin)}
