"""The clocks of the fabric, set by pynq in the device that they belong to.

pynq's ``Clocks`` is one object for the whole process. pynq 3.0.1 makes it for the processor that Python runs on and for
the *active* device, later releases for the device that was named first; all keep it for ever. A simulated or a remote
device on a board would so have the board's own clocks set in its stead. Here they are made anew for the device that is
meant, by its own architecture, and left as they were afterwards.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pynq_ee.errors import DeviceError

#: What pynq keeps in its ``Clocks``: the registers, and from 3.1 on the device that they are of.
_KEPT = ("_real_instance", "device")


@contextmanager
def active(device: Any) -> Iterator[None]:
    """Make a device the one that pynq's globals speak of, for the time of the block."""
    from pynq.pl_server.device import Device

    with _restored(Device, ("_active_device",)):
        Device.active_device = device
        yield


@contextmanager
def clocks(device: Any) -> Iterator[Any]:
    """pynq's ``Clocks``, of one device for the time of the block, whatever machine this is.

    The device is the active one besides: pynq 4.0 sets the widths of a remote board's ports in that one.

    Raises
    ------
    DeviceError
        pynq knows no clocks of the device's architecture.
    """
    from pynq import Clocks, ps

    kinds = {ps.ZYNQ_ARCH: ps._ClocksZynq, ps.ZU_ARCH: ps._ClocksUltrascale}
    architecture = getattr(device, "arch", None) or platform.machine()  # pynq 3.0.1 knows boards of this machine only
    if architecture not in kinds:
        raise DeviceError(
            f"pynq cannot set the clocks of {getattr(device, 'name', device)}: its processor is {architecture!r}, not "
            f"{' or '.join(kinds)}"
        )
    with _restored(Clocks, _KEPT), active(device):
        if hasattr(Clocks, "set_device"):
            if "_real_instance" in vars(Clocks):
                del Clocks._real_instance
            Clocks.set_device(device)
        else:
            Clocks._real_instance = kinds[architecture]()
        yield Clocks


@contextmanager
def _restored(owner: type, names: tuple[str, ...]) -> Iterator[None]:
    """Let attributes of a class be after the block what they were before it."""
    before = {name: vars(owner)[name] for name in names if name in vars(owner)}
    try:
        yield
    finally:
        for name in names:
            if name in before:
                setattr(owner, name, before[name])
            elif name in vars(owner):
                delattr(owner, name)
