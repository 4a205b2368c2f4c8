"""A share with its interval: how sure a rate is that was counted on so many cases. Pure."""

from __future__ import annotations

import math

import msgspec

Z95 = 1.959964
"""Two-sided 95 %."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """`count` of `total`, with Wilson's 95 % score interval (Journal of the American Statistical Association 22, 1927).

    Of nothing, the share is 0 and the interval is all there is: 0 to 1.
    """

    count: int
    total: int
    share: float
    low: float
    high: float


def share_of(count: int, total: int, z: float = Z95) -> Share:
    if total <= 0:
        return Share(count=count, total=0, share=0.0, low=0.0, high=1.0)
    p, zz = count / total, z * z
    middle = (p + zz / (2 * total)) / (1 + zz / total)
    half = z / (1 + zz / total) * math.sqrt(p * (1 - p) / total + zz / (4 * total * total))
    return Share(count=count, total=total, share=p, low=max(0.0, middle - half), high=min(1.0, middle + half))
