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

LARGE_BETS = (0.12, 0.25, 0.5, 0.9)
"""For a short game that is only to see disasters: what is not put on small effects is there for them."""

_RICHEST = 1e200
"""Wealth is not counted further: it is beyond any doubt, and its products stay finite."""


class Wager:
    """The wealth of one game. It begins at 1. Deterministic: the same ticks give the same wealth, bit for bit.

    Most ticks show nothing bad, and such ticks only lower the wealth: they are counted, and played together before the
    next tick that shows something.
    """

    __slots__ = ("_bets", "_games", "_idle", "_idle_joining", "_idle_slowness", "_waiting", "_wealth")

    def __init__(self, bets: tuple[float, ...] = BETS) -> None:
        self._bets = bets
        self._games = [AT_ONCE / len(bets)] * len(bets)
        self._waiting = 1.0 - AT_ONCE
        self._wealth = 1.0
        """As of the last tick that was played; never lower than the wealth now."""
        self._idle = 0
        self._idle_slowness = self._idle_joining = 0.0

    def play(self, payoff: float, slowness: float = 1.0, joining: float = 0.0) -> None:
        """One tick. `joining` is the part of the stake (of 1 - AT_ONCE) that enters the game before it."""
        if payoff == 0.0:
            if self._idle and (slowness != self._idle_slowness or joining != self._idle_joining):
                self._catch_up()
            self._idle += 1
            self._idle_slowness, self._idle_joining = slowness, joining
            return
        if self._idle:
            self._catch_up()
        joined = joining if joining < self._waiting else self._waiting
        share = joined / len(self._bets)
        factors = _factors(payoff, slowness, self._bets)
        games = [(game + share) * factor for game, factor in zip(self._games, factors)]  # noqa: B905 - the hot loop
        total = sum(games)
        if total > _RICHEST:
            games = [game * (_RICHEST / total) for game in games]
            total = _RICHEST
        self._games = games
        self._waiting -= joined
        self._wealth = total + self._waiting

    @property
    def wealth(self) -> float:
        if not self._idle:
            return self._wealth
        games, waiting = self._after_idle()
        return sum(games) + waiting

    def has(self, needed: float) -> bool:
        """Whether the wealth is at least so much."""
        return self._wealth >= needed and self.wealth >= needed

    def _catch_up(self) -> None:
        self._games, self._waiting = self._after_idle()
        self._wealth = sum(self._games) + self._waiting
        self._idle = 0

    def _after_idle(self) -> tuple[list[float], float]:
        """All games after the ticks that showed nothing: each stake times its factor for every tick that it was in."""
        factors, sums = _factors_of_nothing(self._idle_slowness, self._idle, self._bets)
        joining, waiting = self._idle_joining, self._waiting
        if joining * self._idle <= waiting:
            share = joining / len(self._bets)
            games = [g * f + share * s for g, f, s in zip(self._games, factors, sums)]  # noqa: B905 - the hot loop
            return games, waiting - joining * self._idle
        games = self._games
        once = _factors_of_nothing(self._idle_slowness, 1, self._bets)[0]
        for _ in range(self._idle):
            joined = joining if joining < waiting else waiting
            games = [(g + joined / len(self._bets)) * f for g, f in zip(games, once)]  # noqa: B905 - the hot loop
            waiting -= joined
        return games, waiting


def _factors(payoff: float, slowness: float, bets: tuple[float, ...]) -> list[float]:
    gain = payoff - 1.0
    if slowness == 1.0:
        return [1.0 + bet * gain for bet in bets]
    power = 1.0 / slowness
    return [(1.0 + bet * gain) ** power for bet in bets]


@lru_cache(maxsize=4096)
def _factors_of_nothing(slowness: float, ticks: int, bets: tuple[float, ...]) -> tuple[list[float], list[float]]:
    """What is left of a stake after so many ticks without anything bad, and of stakes that join one a tick."""
    factors, sums = [], []
    for bet in bets:
        one = (1.0 - bet) ** (1.0 / slowness)
        left = one**ticks
        factors.append(left)
        sums.append(one * (1.0 - left) / (1.0 - one))
    return factors, sums
