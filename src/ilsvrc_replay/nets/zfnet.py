"""ZFNet (2013): Zeiler & Fergus, "Visualizing and understanding convolutional networks", section 4.1 and figure 3.

AlexNet with a finer stem, 7x7 filters at stride 2, stride 2 in conv2, and no groups: one GPU held it all. The pads are
those that give the maps of figure 3: 110, 55, 26, 13, 6. The contrast normalisation after the first two pools is
AlexNet's. 62,357,608 parameters, 1.168 G multiply-adds. The wide net (b) of table 2 has 512, 1024 and 512 channels in
conv3 to conv5: 107,627,624 parameters, 2.477 G.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import torch
from torch import Tensor, nn

from ilsvrc_replay.layers.architecture import Architecture
from ilsvrc_replay.layers.blocks import LocalResponseNorm, weighted_layers


class ZFNet(nn.Module):
    """Images (N, 3, 224, 224) to scores (N, 1000); `conv3_to_5` are the channels of the last three convolutions."""

    def __init__(self, conv3_to_5: tuple[int, int, int] = (384, 384, 256)) -> None:
        super().__init__()
        c3, c4, c5 = conv3_to_5
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 96, 7, stride=2, padding=1),
                relu1=nn.ReLU(inplace=True),
                pool1=nn.MaxPool2d(3, stride=2, padding=1),
                norm1=LocalResponseNorm(),
                conv2=nn.Conv2d(96, 256, 5, stride=2),
                relu2=nn.ReLU(inplace=True),
                pool2=nn.MaxPool2d(3, stride=2, padding=1),
                norm2=LocalResponseNorm(),
                conv3=nn.Conv2d(256, c3, 3, padding=1),
                relu3=nn.ReLU(inplace=True),
                conv4=nn.Conv2d(c3, c4, 3, padding=1),
                relu4=nn.ReLU(inplace=True),
                conv5=nn.Conv2d(c4, c5, 3, padding=1),
                relu5=nn.ReLU(inplace=True),
                pool5=nn.MaxPool2d(3, stride=2),
            )
        )
        self.classifier = nn.Sequential(
            OrderedDict(
                flatten=nn.Flatten(),
                fc6=nn.Linear(c5 * 6 * 6, 4096),
                relu6=nn.ReLU(inplace=True),
                drop6=nn.Dropout(0.5),
                fc7=nn.Linear(4096, 4096),
                relu7=nn.ReLU(inplace=True),
                drop7=nn.Dropout(0.5),
                fc8=nn.Linear(4096, 1000),
            )
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images))


@torch.no_grad()
def initialise(net: nn.Module, _gain: float = 1.0) -> None:
    """N(0, 0.01) weights and zero biases (section 3.1, "weights initialised to 10^-2").

    The paper's figures, made for its own images, so that no gain has to fit them.
    """
    for _, layer in weighted_layers(net):
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(layer.bias)


NETS = {
    "zfnet": Architecture(ZFNet, initialise),
    "zfnet_b": Architecture(partial(ZFNet, (512, 1024, 512)), initialise),
}
