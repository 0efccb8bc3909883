"""Files for other tools, made from a model: constants for C++ and Tcl, Verilog, ONNX graphs, hardware descriptions."""

from pynq_ee.generate import constants, hwh, onnx, rtl_design, verilog

__all__ = ["constants", "hwh", "onnx", "rtl_design", "verilog"]
