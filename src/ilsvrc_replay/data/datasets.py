"""The data sets by name: each module offers `acquire(target, folder)` and `read(folder)`."""

from __future__ import annotations

from ilsvrc_replay.data import digits, fashion_mnist

DATASETS = {"fashion-mnist": fashion_mnist, "digits": digits}
