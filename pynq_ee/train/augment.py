"""Random affine distortion of a batch of digits, rounded back to the 8-bit pixels that the circuit sees."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

# Largest distortions at strength 1.
_ROTATION = math.radians(15)
_SCALE = 0.15
_SHEAR = 0.25
_SHIFT_PIXELS = 2.5


def distort(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Rotate, scale, shear and shift each image of a batch by amounts of its own.

    Parameters
    ----------
    images
        uint8 tensor (n, 1, 28, 28).
    strength
        0 (none) to 1 (up to 15 degrees, 15 %, a shear of 0.25, 2.5 pixels), uniformly distributed.
    generator
        Source of the random numbers.

    Returns
    -------
    float32 tensor (n, 1, 28, 28) of whole numbers, 0 to 255.
    """
    pixels = images.to(torch.float32)
    if not strength:
        return pixels
    count, _, rows, columns = images.shape
    rotation, width, height, shear, right, down = (torch.rand((6, count), generator=generator) * 2 - 1) * strength
    angle = rotation * _ROTATION
    width, height, shear = 1 + width * _SCALE, 1 + height * _SCALE, shear * _SHEAR
    shift = _SHIFT_PIXELS / (rows / 2)
    cosine, sine = angle.cos(), angle.sin()
    matrix = torch.stack(
        [
            torch.stack([cosine * width, shear - sine * height, right * shift], 1),
            torch.stack([sine * width, cosine * height, down * shift], 1),
        ],
        1,
    )
    grid = functional.affine_grid(matrix, [count, 1, rows, columns], align_corners=False)
    return functional.grid_sample(pixels, grid, align_corners=False).round_().clamp_(0, 255)
