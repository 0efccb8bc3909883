"""The board: its overlay found, loaded and identified, and batches sent through it with deadlines and recovery."""

from pynq_ee.driver.accelerator import Accelerator
from pynq_ee.driver.circuit import Circuit
from pynq_ee.driver.dma import AxiDma
from pynq_ee.driver.pipeline import Pipeline, Turns

__all__ = ["Accelerator", "AxiDma", "Circuit", "Pipeline", "Turns"]
