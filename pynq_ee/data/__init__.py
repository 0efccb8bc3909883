"""Images in: what users have, as the network takes it, and the data sets that every figure rests on."""

from pynq_ee.data.datasets import Digits, available, download
from pynq_ee.data.images import fit_ink, to_images

__all__ = ["Digits", "available", "download", "fit_ink", "to_images"]
