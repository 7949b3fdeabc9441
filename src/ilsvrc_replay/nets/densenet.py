"""DenseNet (2016): Huang, Liu, van der Maaten, Weinberger, "Densely connected convolutional networks", table 1.

DenseNet-121 with growth rate 32, bottlenecks and compression 0.5, as torchvision ships it: 7,978,856 parameters,
2.834 G multiply-adds.
"""

from __future__ import annotations

from functools import partial

from ilsvrc_replay.layers.architecture import Architecture
from ilsvrc_replay.layers.blocks import init_he
from ilsvrc_replay.layers.library import from_torchvision

NETS = {"densenet121": Architecture(partial(from_torchvision, "densenet121"), init_he)}
