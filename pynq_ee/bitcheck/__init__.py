"""From a bitstream of the 7 series back to the circuit that it makes.

    python -m pynq_ee.bitcheck overlay/first_exit.bit --database DIR

Nothing but the file and a database in prjxray's format is read: neither the netlist that the file was made from nor any
file of the tools that placed and routed it. So what holds here holds for every file: *if the database is right, this
file is this circuit.*

The way: packets (`packets`) of frames (`frames`), whose set bits are features of tiles (`features`, by `database`).
Features are switches, which join wires (`nodes`) to a graph (`routing`), and settings of sites, which are cells
(`slices`, `block_rams`, `clocks`). Cells and wires that reach a pin of the processor are a `netlist`, as Verilog.
"""
