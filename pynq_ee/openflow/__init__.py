"""A bitstream without Vivado: a netlist of Yosys through nextpnr-xilinx and the frame tools to ``.bit`` and ``.hwh``.

The tools are those of openXC7, where a user has them; none is part of this project. What they made is judged here by
what they do not judge themselves, and read back by :mod:`pynq_ee.bitcheck`, which runs as a program of its own.
"""
