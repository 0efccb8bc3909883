"""Files for other tools, made from a model: constants for C++ and Tcl, Verilog, ONNX graphs."""

from pynq_ee.generate import constants, onnx, verilog

__all__ = ["constants", "onnx", "verilog"]
