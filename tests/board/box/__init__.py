"""A board in a box: pynq's own ``EmbeddedDevice``, unmodified, on a machine that has none.

What lies *below* pynq is put in place before pynq is imported (:func:`board.box.machine.install`): the system calls by
which it reaches a board, the library or module of XRT that it allocates with, and the tools that it runs. They lead to
the parts of the simulated board: programmable logic, DMA, DRAM, clocks.
"""
