"""Quantization-aware training. Only this package and ``pynq_ee.remainder.torch`` import PyTorch.

What it makes reaches the rest through files: a checkpoint, which ``pynq-ee export`` turns into the model file and the
generated headers of the hardware.
"""
