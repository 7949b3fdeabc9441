"""ResNeXt (2016): Xie, Girshick, Dollar, Tu, He, "Aggregated residual transformations for deep
neural networks", table 1.

ResNet-50's bottlenecks with 3x3 convolutions in 32 groups of 4 channels, stride on the 3x3, option B shortcuts, as timm
ships it: 25,028,904 parameters, 4.230 G multiply-adds. Thirty-two groups leave widths in quarters.
"""

from __future__ import annotations

from functools import partial

from ilsvrc_replay.layers.architecture import Architecture
from ilsvrc_replay.layers.blocks import init_he
from ilsvrc_replay.layers.library import from_timm

NETS = {"resnext50_32x4d": Architecture(partial(from_timm, "resnext50_32x4d"), init_he)}
