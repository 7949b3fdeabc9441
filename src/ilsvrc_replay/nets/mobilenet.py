"""MobileNet: Howard et al. 2017, "MobileNets: efficient convolutional neural networks for mobile vision applications",
table 1, and Sandler et al. 2018, "MobileNetV2: inverted residuals and linear bottlenecks", table 2.

v1 is timm's, with the paper's ReLU in place of ReLU6: 4,231,976 parameters, 0.569 G multiply-adds. v2 is torchvision's:
3,504,872 parameters, 0.301 G. Neither paper says how the nets start.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from ilsvrc_replay.layers.architecture import Architecture
from ilsvrc_replay.layers.blocks import init_he
from ilsvrc_replay.layers.library import from_timm, from_torchvision

NETS = {
    "mobilenet_v1": Architecture(partial(from_timm, "mobilenetv1_100", act_layer=nn.ReLU), init_he),
    "mobilenet_v2": Architecture(partial(from_torchvision, "mobilenet_v2"), init_he),
}
