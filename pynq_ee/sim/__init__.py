"""A simulated board: a device that pynq runs on unmodified where there is no board.

It is asked for by name and never fallen back to. This package imports pynq; nothing else in pynq_ee does so when it
is imported.
"""

from pynq_ee.sim.device import SimulatedDevice

__all__ = ["SimulatedDevice"]
