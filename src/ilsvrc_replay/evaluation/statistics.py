"""How sure an error rate is."""

from __future__ import annotations

import statistics

from scipy import stats

CONFIDENCE = 0.95


def error_with_interval(errors: list[float], images: int) -> tuple[float, float, float]:
    """Mean error over seeds and its 95 % interval, all in %; `errors` one a seed, each on the same `images`.

    One seed: Wilson's interval, which knows the images' chance alone. Several: Student's interval over the seeds,
    but never a narrower one than Wilson's.
    """
    mean = statistics.fmean(errors)
    wilson = stats.binomtest(round(mean * images / 100), images).proportion_ci(CONFIDENCE, method="wilson")
    low, high = 100 * wilson.low, 100 * wilson.high
    if len(errors) > 1:
        half = stats.t.ppf(0.5 + CONFIDENCE / 2, len(errors) - 1) * stats.sem(errors)
        low, high = min(low, mean - half), max(high, mean + half)
    return tuple(round(min(max(value, 0.0), 100.0), 4) for value in (mean, low, high))
