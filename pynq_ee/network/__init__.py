"""What is computed: the numbers of the network and its circuit, their integer arithmetic, and the weights."""

from pynq_ee.network.fabric import first_exit
from pynq_ee.network.spec import BOARDS, NETWORKS, Board, FabricLayer, Spec, Stage, batch_clocks
from pynq_ee.network.weights import LayerWeights, Model, load, save, shipped_models

__all__ = [
    "BOARDS",
    "NETWORKS",
    "Board",
    "FabricLayer",
    "LayerWeights",
    "Model",
    "Spec",
    "Stage",
    "batch_clocks",
    "first_exit",
    "load",
    "save",
    "shipped_models",
]
