"""The interrupt controller against its product guide, PG099, with inputs that are levels."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

ISR, IPR, IER, IAR, SIE, CIE, IVR, MER = range(0, 32, 4)
ALL = 0b111


class Controller:
    """The registers under test, out of their reset."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clock, dut.resetn, False)

    @classmethod
    async def on(cls, dut: Any, enabled: int = 0, master: int = 0) -> Controller:
        dut.resetn.value = 0
        dut.intr.value = 0
        cocotb.start_soon(Clock(dut.clock, 10, "ns").start())
        await ClockCycles(dut.clock, 4)
        controller = cls(dut)
        dut.resetn.value = 1
        if enabled:
            await controller.write(IER, enabled)
        if master:
            await controller.write(MER, master)
        return controller

    async def read(self, offset: int) -> int:
        return int(await self.lite.read_dword(offset))

    async def write(self, offset: int, value: int) -> None:
        await self.lite.write_dword(offset, value)

    async def raises(self, levels: int) -> None:
        self.dut.intr.value = levels
        await ClockCycles(self.dut.clock, 4)


@cocotb.test()
async def registers_have_their_reset_values(dut: Any) -> None:
    controller = await Controller.on(dut)
    values = [await controller.read(offset) for offset in (ISR, IPR, IER, IAR, SIE, CIE, IVR, MER, 0x20, 0x100)]
    assert values == [0, 0, 0, 0, 0, 0, 0xFFFF_FFFF, 0, 0, 0]
    assert not dut.irq.value


@cocotb.test()
async def an_input_stays_latched_until_it_is_acknowledged_and_comes_again_while_it_is_high(dut: Any) -> None:
    controller = await Controller.on(dut, ALL, 0b11)
    for bit in range(3):
        await controller.raises(1 << bit)
        await controller.raises(0)
        assert dut.irq.value
        assert await controller.read(ISR) == 1 << bit
        await controller.write(IAR, ALL & ~(1 << bit))
        assert await controller.read(ISR) == 1 << bit
        await controller.write(IAR, 1 << bit)
        assert await controller.read(ISR) == 0 and not dut.irq.value
        await controller.raises(1 << bit)
        await controller.write(IAR, 1 << bit)
        await ClockCycles(dut.clock, 3)
        assert await controller.read(ISR) == 1 << bit and dut.irq.value
        await controller.raises(0)
        await controller.write(IAR, ALL)
        await ClockCycles(dut.clock, 3)
        assert not dut.irq.value


@cocotb.test()
async def only_enabled_inputs_are_pending_and_the_vector_is_the_lowest(dut: Any) -> None:
    controller = await Controller.on(dut, master=0b11)
    await controller.raises(ALL)
    assert await controller.read(ISR) == ALL and not dut.irq.value
    for enabled in range(8):
        await controller.write(CIE, ALL)
        await controller.write(SIE, enabled)
        assert await controller.read(IER) == await controller.read(IPR) == enabled
        lowest = next((bit for bit in range(3) if enabled >> bit & 1), 0xFFFF_FFFF)
        assert await controller.read(IVR) == lowest
        assert bool(dut.irq.value) == bool(enabled)
    await controller.write(CIE, 0b010)
    assert await controller.read(IER) == 0b101
    await controller.write(SIE, 0b010)
    assert await controller.read(IER) == 0b111


@cocotb.test()
async def the_output_follows_the_master_enable_and_inputs_their_own_which_stays(dut: Any) -> None:
    controller = await Controller.on(dut, ALL)
    await controller.raises(0b001)
    assert await controller.read(ISR) == 0, "inputs are not enabled"
    await controller.write(MER, 0b01)
    await controller.write(ISR, 0b100)
    await ClockCycles(dut.clock, 3)
    assert await controller.read(ISR) == 0b100 and dut.irq.value, "raised by software"
    await controller.write(MER, 0b10)
    await ClockCycles(dut.clock, 3)
    assert await controller.read(ISR) == 0b101 and not dut.irq.value
    await controller.write(ISR, 0)
    assert await controller.read(ISR) == 0b101, "software raises no more"
    await controller.write(MER, 0b01)
    assert await controller.read(MER) == 0b11
    await ClockCycles(dut.clock, 3)
    assert dut.irq.value


@cocotb.test()
async def a_write_of_less_than_a_word_does_nothing(dut: Any) -> None:
    controller = await Controller.on(dut)
    for byte in range(4):
        await controller.lite.write(IER + byte, b"\xff")
    await controller.lite.write(IER, b"\xff\xff")
    assert await controller.read(IER) == 0


@cocotb.test()
async def it_agrees_with_the_model_of_the_simulated_board_whatever_is_written(dut: Any) -> None:
    from pynq_ee.sim.axi_intc import AxiIntc

    levels = 0
    model = AxiIntc([lambda bit=bit: bool(levels >> bit & 1) for bit in range(3)])
    controller = await Controller.on(dut)
    for step in range(100):
        levels = random.randrange(8)
        await controller.raises(levels)
        assert model.interrupt == bool(dut.irq.value)
        offset, value = random.choice((ISR, IER, IAR, SIE, CIE, MER)), random.randrange(8)
        if offset == MER and step < 40:
            value &= 0b01  # software raises interrupts until the inputs are enabled, which they stay
        await controller.write(offset, value)
        model.write(offset, value)
        await ClockCycles(dut.clock, 3)
        for register in (ISR, IPR, IER, IVR, MER):
            assert await controller.read(register) == model.read(register)
    assert model.read(MER) & 0b10


@cocotb.test()
async def the_sequence_of_pynqs_driver_enables_and_finds_interrupts(dut: Any) -> None:
    """Of ``pynq.interrupt._InterruptController``, whose event loop has no place in a simulator."""
    controller = await Controller.on(dut)
    read, write = resume(controller.read), resume(controller.write)
    raises = resume(controller.raises)

    @bridge
    def drive() -> None:
        write(0x08, 0)  # as the driver's constructor
        write(0x1C, 0x3)
        for bit in (1, 0, 2):
            write(0x10, 1 << bit)  # add_event
            raises(1 << bit)
            assert dut.irq.value and read(0x04) == 1 << bit
            write(0x14, 1 << bit)  # set_event, once the handler has run
            raises(0)
            write(0x0C, 1 << bit)  # and what is acknowledged before it is enabled again
            assert not dut.irq.value and read(0x00) == 0

    await drive()
