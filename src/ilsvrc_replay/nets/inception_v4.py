"""Inception-v4 and Inception-ResNet-v2 (2016): Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and
the impact of residual connections on learning".

`inception_v4` is the paper's net (figures 3 to 9), as timm ships it: 42,679,816 parameters, 12.254 G multiply-adds, and
no residual connection. `inception_resnet_v2` is the released graph, as timm ships it, the only one with published
weights; the paper's has Inception-v4's stem and 5, 10 and 5 blocks, the released one Inception-v3's and 10, 20 and 10:
55,843,464 parameters, 13.156 G. Both drop 0.2 of the last layer's inputs, as the paper is remembered to (keep 0.8).
"""

from __future__ import annotations

from functools import partial

from ilsvrc_replay.layers.architecture import Architecture
from ilsvrc_replay.layers.blocks import init_truncated
from ilsvrc_replay.layers.library import from_timm

NETS = {
    "inception_v4": Architecture(partial(from_timm, "inception_v4", drop_rate=0.2), init_truncated, input_size=299),
    "inception_resnet_v2": Architecture(
        partial(from_timm, "inception_resnet_v2", drop_rate=0.2), init_truncated, input_size=299
    ),
}
