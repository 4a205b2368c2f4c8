"""Evidence that may be looked at after every tick: a game against the hypothesis. Used by the canary judge.

A gambler bets, tick after tick, that a share is over its limit. A bet of the part `b` of the wealth pays
`1 - b + b * payoff`, and if the hypothesis is true the payoff of a tick is at most 1 on average, whatever came before:
then nobody gets rich. By Ville's inequality the wealth ever reaches 1/alpha with a chance of at most alpha, however
often one looks (Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, JRSS B 2024).

Nothing is assumed about the requests within one tick: they may fail together. Failures that hang together over several
ticks are paid out slower: over any `slowness` ticks in a row the product of the factors, each to the power
1/slowness, is at most the factor of their mean payoff (Jensen's inequality), so they count as one bet.

The wealth is a mixture: over the size of the bet (small bets see small effects early, large ones disasters), and over
the moment at which the gambler begins, because trouble may begin at any time (a mixture of restarted games: Shin,
Ramdas and Rinaldo, E-detectors, NEJSDS 2024).
"""

from __future__ import annotations

from functools import lru_cache

BETS = (0.004, 0.008, 0.016, 0.03, 0.06, 0.12, 0.25, 0.5, 0.9)
"""Parts of the wealth: each is best for an effect about twice the size of the one that the next lower is best for."""

AT_ONCE = 0.5
"""Part of the stake that is in the game from the first tick; the rest joins evenly over the whole time."""

_RICHEST = 1e200
"""Wealth is not counted further: it is beyond any doubt, and its products stay finite."""


class Wager:
    """The wealth of one game. It begins at 1. Deterministic: the same ticks give the same wealth, bit for bit."""

    __slots__ = ("_games", "_waiting", "wealth")

    def __init__(self) -> None:
        self._games = [AT_ONCE / len(BETS)] * len(BETS)
        self._waiting = 1.0 - AT_ONCE
        self.wealth = 1.0

    def play(self, payoff: float, slowness: float = 1.0, joining: float = 0.0) -> None:
        """One tick. `joining` is the part of the stake (of 1 - AT_ONCE) that enters the game before it."""
        joined = joining if joining < self._waiting else self._waiting
        share = joined / len(BETS)
        factors = _factors_of_nothing(slowness) if payoff == 0.0 else _factors(payoff, slowness)
        games = [(game + share) * factor for game, factor in zip(self._games, factors)]  # noqa: B905 - the hot loop
        total = sum(games)
        if total > _RICHEST:
            games = [game * (_RICHEST / total) for game in games]
            total = _RICHEST
        self._games = games
        self._waiting -= joined
        self.wealth = total + self._waiting


def _factors(payoff: float, slowness: float) -> list[float]:
    gain = payoff - 1.0
    if slowness == 1.0:
        return [1.0 + bet * gain for bet in BETS]
    power = 1.0 / slowness
    return [(1.0 + bet * gain) ** power for bet in BETS]


@lru_cache(maxsize=512)
def _factors_of_nothing(slowness: float) -> list[float]:
    """Most ticks show nothing bad."""
    return [(1.0 - bet) ** (1.0 / slowness) for bet in BETS]
