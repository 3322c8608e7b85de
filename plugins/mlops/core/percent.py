"""Shares in percent, as checks print them."""

from __future__ import annotations


def percent(share: float) -> str:
    """Two decimals below 1 %, since bounds lie there; never 0 for what is not."""
    value = 100.0 * share
    if 0.0 < value < 0.005:  # noqa: PLR2004
        return "< 0.01 %"
    digits = 2 if value < 1.0 or value > 99.0 else 1  # noqa: PLR2004
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") + " %"
