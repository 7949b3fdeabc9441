"""MobileNet: Howard et al. 2017, "MobileNets: efficient convolutional neural networks for mobile vision applications",
table 1, and Sandler et al. 2018, "MobileNetV2: inverted residuals and linear bottlenecks", table 2.

v1 is timm's, with the paper's ReLU in place of ReLU6: 4,231,976 parameters, 0.569 G multiply-adds. v2 is torchvision's:
3,504,872 parameters, 0.301 G. Neither paper says how the nets start.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from ilsvrc_replay.architectures.architecture import Architecture
from ilsvrc_replay.architectures.layers import init_he
from ilsvrc_replay.architectures.library import from_timm, from_torchvision

ARCHITECTURES = [
    Architecture("mobilenet_v1", partial(from_timm, "mobilenetv1_100", act_layer=nn.ReLU), init_he),
    Architecture("mobilenet_v2", partial(from_torchvision, "mobilenet_v2"), init_he),
]
