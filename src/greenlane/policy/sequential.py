"""Statistics of a share (bad of total) that may be looked at after every request: used by the canary judge.

The likelihood of what was seen under a mixture of all shares, divided by its likelihood under one share `p`, is a
martingale with mean 1 if `p` is the true share (Robbins, Statistical methods related to the law of the iterated
logarithm, 1970). By Ville's inequality it ever reaches 1/alpha with a chance of at most alpha, however often one
looks. The mixture is Beta(1/2, 1/2), which costs the least evidence in the worst case (Krichevsky and Trofimov, The
performance of universal encoding, 1981). Requests are taken to fail independently of each other.
"""

from __future__ import annotations

import math

_BISECTIONS = 60
"""Halvings of [0, 1]: 2^-60 is finer than any share of requests that can be counted."""


def compute_log_evidence(bad: int, total: int, share: float) -> float:
    """Natural logarithm of the mixture likelihood ratio of `bad` in `total` against `share`.

    Evidence against `share` from both sides: a caller who asks for one side compares `bad / total` as well.
    """
    good = total - bad
    if (share <= 0.0 and bad > 0) or (share >= 1.0 and good > 0):
        return math.inf
    mixture = math.lgamma(bad + 0.5) + math.lgamma(good + 0.5) - math.lgamma(total + 1.0) - math.log(math.pi)
    limit = (bad * math.log(share) if bad else 0.0) + (good * math.log1p(-share) if good else 0.0)
    return mixture - limit


def detect_over(bad: int, total: int, limit: float, alpha: float) -> bool:
    """Whether the true share is over `limit`. Wrong at any time with a chance of at most `alpha`, if it is not."""
    if total <= 0 or bad <= limit * total:
        return False
    return compute_log_evidence(bad, total, limit) >= -math.log(alpha)


def compute_lower_bound(bad: int, total: int, alpha: float) -> float:
    """The true share is at or over this at all times, with a chance of at least 1 - alpha."""
    return _bound(bad, total, alpha, 0.0)


def compute_upper_bound(bad: int, total: int, alpha: float) -> float:
    """The true share is at or under this at all times, with a chance of at least 1 - alpha; 1 without data."""
    return _bound(bad, total, alpha, 1.0)


def _bound(bad: int, total: int, alpha: float, outside: float) -> float:
    """The end of the confidence sequence on the side of `outside` (0 or 1): where the evidence reaches 1/alpha."""
    if total <= 0:
        return outside
    inside = bad / total
    if compute_log_evidence(bad, total, outside) < -math.log(alpha):
        return outside
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        if compute_log_evidence(bad, total, middle) >= -math.log(alpha):
            outside = middle
        else:
            inside = middle
    return outside
