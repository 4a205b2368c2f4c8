"""The published rules of the best-known canary judges, written anew from their documentation. For `canary_judge.py`.

All of them see the same counts as ours: one row a second, from the first request on, for eleven minutes. A rule answers
the second at which it rolls back, for every trial at once; infinity if it never does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache

import numpy as np

SLOW_LIMIT = 0.01
WINDOW_S = 60
NO_DATA_LIMIT = 4

Rule = Callable[[np.ndarray, float], np.ndarray]


def _windows(counts: np.ndarray, seconds: int = WINDOW_S) -> np.ndarray:
    """Sums over windows: trials x windows x columns."""
    trials, length, columns = counts.shape
    whole = length // seconds
    return counts[:, : whole * seconds].reshape(trials, whole, seconds, columns).sum(axis=2)


def _breaks(windows: np.ndarray, error_limit: float) -> np.ndarray:
    """Whether the canary is over a limit in a window: errors over the limit, or p99 over its limit."""
    requests = windows[:, :, 3]
    return (windows[:, :, 4] > error_limit * requests) | (windows[:, :, 5] > SLOW_LIMIT * requests)


def _at(first: np.ndarray) -> np.ndarray:
    """The second at the end of the first window that is true."""
    hit = first.any(axis=1)
    return np.where(hit, (first.argmax(axis=1) + 1) * WINDOW_S, np.inf)


def failure_limit(allowed: int) -> Rule:
    """A fixed limit per window, with so many failed windows allowed.

    Argo Rollouts, docs/features/analysis.md: a metric is measured every `interval` against `successCondition`; the
    analysis fails when more than `failureLimit` measurements have failed (default 0; the example there has 3, with an
    interval of 5 minutes); a measurement without a value is an error, and more than `consecutiveErrorLimit` (default
    4) in a row fail too. Here with an interval of one minute, which is quicker.
    """

    def decide(counts: np.ndarray, error_limit: float) -> np.ndarray:
        windows = _windows(counts)
        failed = _breaks(windows, error_limit).cumsum(axis=1) > allowed
        return np.minimum(_at(failed), _at(_in_a_row(windows[:, :, 3] == 0) > NO_DATA_LIMIT))

    return decide


def failed_checks(threshold: int) -> Rule:
    """A fixed limit per window, and a rollback after so many failed checks in all.

    Flagger, pkg/controller/scheduler.go: at every `interval` each metric is checked; a check that fails, or finds no
    value, adds one to the failed checks, and when they reach `threshold` the canary is rolled back. The documentation's
    example has an interval of 1 minute and a threshold of 5.
    """

    def decide(counts: np.ndarray, error_limit: float) -> np.ndarray:
        windows = _windows(counts)
        failed = _breaks(windows, error_limit) | (windows[:, :, 3] == 0)
        return _at(failed.cumsum(axis=1) >= threshold)

    return decide


def in_a_row(threshold: int) -> Rule:
    """A fixed limit per window, broken so many times in a row: an alarm with as many evaluation periods."""

    def decide(counts: np.ndarray, error_limit: float) -> np.ndarray:
        return _at(_in_a_row(_breaks(_windows(counts), error_limit)) >= threshold)

    return decide


def _in_a_row(flags: np.ndarray) -> np.ndarray:
    """For each window, how many up to and with it are true without a break."""
    run = np.zeros(flags.shape, dtype=int)
    so_far = np.zeros(len(flags), dtype=int)
    for window in range(flags.shape[1]):
        so_far = np.where(flags[:, window], so_far + 1, 0)
        run[:, window] = so_far
    return run


def mann_whitney(every: int = 5) -> Rule:
    """A Mann-Whitney test of one-minute points of the canary against those of the baseline, with an effect size.

    Kayenta, kayenta-judge, NetflixACAJudge and MannWhitneyClassifier: a metric is High if the lower end of the 98 %
    confidence interval of the Hodges-Lehmann estimate of the shift lies over 0.25 times that estimate; a critical
    metric that is High fails the canary. Judged here after 5 and 10 minutes, on all points up to then; limits play no
    part.
    """

    def decide(counts: np.ndarray, error_limit: float) -> np.ndarray:
        del error_limit
        windows = _windows(counts)
        answer = np.full(len(windows), np.inf)
        for points in range(every, windows.shape[1] + 1, every):
            seen = windows[:, :points]
            high = np.zeros(len(windows), dtype=bool)
            for bad in (1, 2):
                high |= _is_high(_share(seen, bad + 3, 3), _share(seen, bad, 0))
            has_data = (seen[:, :, 3].sum(axis=1) > 0) & (seen[:, :, 0].sum(axis=1) > 0)
            answer = np.where(np.isinf(answer) & high & has_data, points * WINDOW_S, answer)
        return answer

    return decide


def _share(windows: np.ndarray, bad: int, total: int) -> np.ndarray:
    return windows[:, :, bad] / np.maximum(windows[:, :, total], 1)


def _is_high(canary: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Per trial, for points as trials x windows."""
    shifts = np.sort((canary[:, :, None] - baseline[:, None, :]).reshape(len(canary), -1), axis=1)
    rank = _lower_rank(canary.shape[1], baseline.shape[1], 0.01)
    if rank is None:
        return np.zeros(len(canary), dtype=bool)
    return shifts[:, rank] > 0.25 * np.abs(np.median(shifts, axis=1))


@cache
def _lower_rank(first: int, second: int, tail: float) -> int | None:
    """Index into the ordered shifts at which their confidence interval begins; None: too few points for one."""
    ways = np.zeros(first * second + 1)
    ways[0] = 1.0
    # Counts of the U statistic: the Gaussian binomial coefficient, factor by factor.
    for k in range(1, first + 1):
        for u in range(second + k, first * second + 1)[::-1]:
            ways[u] -= ways[u - second - k]
        for u in range(k, first * second + 1):
            ways[u] += ways[u - k]
    below = list(itertools.accumulate(ways / ways.sum()))
    rank = next(u for u, share in enumerate(below) if share > tail)
    return rank - 1 if rank else None


PEERS: dict[str, Rule] = {
    "Argo Rollouts, failureLimit 0": failure_limit(0),
    "Argo Rollouts, failureLimit 3": failure_limit(3),
    "Flagger, threshold 5": failed_checks(5),
    "5 windows in a row": in_a_row(5),
    "Kayenta (Mann-Whitney)": mann_whitney(),
}
