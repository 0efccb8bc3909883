"""Which images cannot stay: what the circuit can tell of an entropy from two logits.

The circuit knows an image's logits before it sends the features, but no exponential. It sends them where the largest
logit less the second largest, the *difference*, is below a margin. That margin is the smallest one from which on the
entropy is below the threshold **whatever the other logits are**, so no image that stays lacks its features.

With a difference m and a scale s, the others are at least m below the largest too. Of all such logits those have the
greatest entropy that are all exactly m below it, and it falls as m grows. For let the others have the exponentials
:math:`b_i \\le a = e^{-sm}`, in falling order. The largest probability and the k next ones are a share
:math:`S / (S + R)` of all, with :math:`R \\le (9 - k) b_k` and :math:`S \\ge 1 + k b_k`; so :math:`R / S` is at most
:math:`(9 - k) b_k / (1 + k b_k)`, which grows with :math:`b_k` and is reached where all are equal to a. So the
distribution in which all others are equal to a is majorized by every other one, and entropy is Schur-concave.
"""

from __future__ import annotations

import math

from pynq_ee.exits.softmax_entropy import DIFFERENCE_BITS, ENTROPY_ERROR
from pynq_ee.network.spec import CLASSES, FEATURES_ALWAYS, FEATURES_NEVER

#: What is left, in nats, between the greatest entropy of an image that is sent without features and the threshold: by
#: how much the entropy that the decision is taken from may differ from the real number, and this module's rounding.
SLACK = ENTROPY_ERROR + 1e-9


def greatest_entropy(difference: int, scale: float) -> float:
    """Greatest entropy in nats of ten logits of which the two largest differ by so much.

    Parameters
    ----------
    difference
        Of the integer logits, 0 or more.
    scale
        The real number that the integer logit 1 stands for, more than 0.
    """
    # Rounded as the decision rounds the differences of logits, which keeps their order.
    depth = math.floor(difference * scale * (1 << DIFFERENCE_BITS) + 0.5) / (1 << DIFFERENCE_BITS)
    others = (CLASSES - 1) * math.exp(-depth)
    return math.log1p(others) + depth * others / (1 + others)


def feature_margin(threshold: float, scale: float) -> int:
    """The register ``feature_margin`` for a threshold of the first exit.

    Parameters
    ----------
    threshold
        Nats, 0 or more; an image whose entropy is below it leaves.
    scale
        The real number that the integer logit 1 stands for, more than 0.

    Returns
    -------
    The smallest margin that is exact. :data:`~pynq_ee.network.spec.FEATURES_NEVER` where every image leaves,
    :data:`~pynq_ee.network.spec.FEATURES_ALWAYS` where no difference of two logits makes sure that one does.

    Examples
    --------
    >>> feature_margin(0.5, 2.0**-7) > feature_margin(1.0, 2.0**-7) > feature_margin(2.3, 2.0**-7)
    True
    """
    low, high = FEATURES_NEVER, FEATURES_ALWAYS  # the margin is low or more, and high or less
    while low < high:
        middle = (low + high) // 2
        if greatest_entropy(middle, scale) < threshold - SLACK:
            high = middle
        else:
            low = middle + 1
    return low
