"""Shares as per cent, never rounded to 0 or 100 unless exact."""

import math


def percent(share: float, decimals: int = 2) -> str:
    """Write a share as per cent: 0.9992 is 99.92%; if it is no number, n/a.

    Only 1 is 100%, and only 0 is 0%: a share that would be rounded to one of them, and is not it, gets as many
    decimals as it takes to tell, so that 0.99996 is 99.996% and not 100.00%.
    """
    if not math.isfinite(share):
        return "n/a"
    share = share + 0.0  # -0.0 is 0
    text = f"{share:.{decimals}%}"
    while share not in (0, 1) and float(text.rstrip("%")) in (0, 100):
        decimals += 1
        text = f"{share:.{decimals}%}"
    return text
