"""The chi-squared law without SciPy, whose import costs a step more than all it computes."""

from __future__ import annotations

import math


def upper_tail(freedom: int, value: float) -> float:
    """The chance that a chi-squared variable is ``value`` or more.

    The regularised upper incomplete gamma function Q(freedom / 2, value / 2), which is a finite
    sum for whole numbers (Abramowitz and Stegun 1964, 26.4.4 and 26.4.5).

    :param freedom: degrees of freedom, 1 or more.
    """
    half = value / 2.0
    if half <= 0.0:
        return 1.0
    odd = freedom % 2
    tail = math.erfc(math.sqrt(half)) if odd else 0.0
    powers = (term + odd / 2.0 for term in range(freedom // 2))
    return min(
        1.0,
        tail + math.fsum(math.exp(p * math.log(half) - half - math.lgamma(p + 1)) for p in powers),
    )
