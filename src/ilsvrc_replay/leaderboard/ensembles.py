"""Ensembles: the mean of several runs' class probabilities, as the challenge's entries submitted it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from ilsvrc_replay import metrics
from ilsvrc_replay.evaluation.protocols import tested_on
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import run_name


class Ensemble(NamedTuple):
    """The entries whose runs are averaged, with all their seeds."""

    name: str
    entries: tuple[str, ...]
    stands_for: str | None  # an architecture, with whose published ensemble it is compared

    def runs(self, study: Study) -> list[str]:
        """The names of the runs that are averaged."""
        return [run_name(entry, seed) for entry in self.entries for seed in study.seeds]

    def protocols(self, study: Study) -> list[str]:
        """The protocols by which all members were tested on the same images: of others each seed has its own."""
        shared = set.intersection(*(set(study.protocols(entry)) for entry in self.entries))
        shared = {protocol for protocol in shared if tested_on(protocol)[0] == "test"}
        return [protocol for protocol in study.protocols(self.entries[0]) if protocol in shared]


def of_study(study: Study) -> list[Ensemble]:
    """The study's ensembles: every entry's seeds where there are several, then the named ones of params.yaml."""
    of_seeds = [Ensemble(name, (name,), study.net(name).architecture) for name in study.entries]
    named = [
        Ensemble(name, tuple(params.members), params.stands_for) for name, params in study.evaluation.ensembles.items()
    ]
    return (of_seeds if len(study.seeds) > 1 else []) + named


def average(probabilities: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of class probabilities (N, K) of several runs."""
    return np.mean(np.stack(probabilities), axis=0, dtype=np.float64)


def measure(probabilities: Sequence[np.ndarray], labels: np.ndarray) -> dict[str, Any]:
    """Number of images, and top-1 and top-5 error in % of the mean of the runs' class probabilities (N, K); `labels`
    are (N,)."""
    mean, truth = torch.from_numpy(average(probabilities)), torch.from_numpy(labels)
    return {"images": len(truth), "top1_err": metrics.error(mean, truth, 1), "top5_err": metrics.error(mean, truth, 5)}
