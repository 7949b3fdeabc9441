"""AlexNet (2012): Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks".

Five convolutions and three fully connected layers (section 3.5, figure 2). The two GPUs of 2012 live on as groups:
conv2, conv4 and conv5 see only the half of the channels that was on their own card. Local response normalisation
follows the ReLU of conv1 and conv2 and comes before the pooling (section 3.5). Max pooling overlaps (3 wide, stride 2).
The paper's 224 px only fit a 55 x 55 map with an effective 227 px; 2 px of padding give it.
60,965,224 parameters, 0.7244 G multiply-adds.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from ilsvrc_replay.layers.architecture import Architecture
from ilsvrc_replay.layers.blocks import LocalResponseNorm, weighted_layers


class AlexNet(nn.Module):
    """Images (N, 3, 224, 224) to scores (N, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 96, 11, stride=4, padding=2),
                relu1=nn.ReLU(inplace=True),
                norm1=LocalResponseNorm(),
                pool1=nn.MaxPool2d(3, stride=2),
                conv2=nn.Conv2d(96, 256, 5, padding=2, groups=2),
                relu2=nn.ReLU(inplace=True),
                norm2=LocalResponseNorm(),
                pool2=nn.MaxPool2d(3, stride=2),
                conv3=nn.Conv2d(256, 384, 3, padding=1),
                relu3=nn.ReLU(inplace=True),
                conv4=nn.Conv2d(384, 384, 3, padding=1, groups=2),
                relu4=nn.ReLU(inplace=True),
                conv5=nn.Conv2d(384, 256, 3, padding=1, groups=2),
                relu5=nn.ReLU(inplace=True),
                pool5=nn.MaxPool2d(3, stride=2),
            )
        )
        self.classifier = nn.Sequential(
            OrderedDict(
                flatten=nn.Flatten(),
                fc6=nn.Linear(256 * 6 * 6, 4096),
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
    """N(0, 0.01) weights; biases 1 in conv2, conv4, conv5, fc6 and fc7, 0 elsewhere (section 5).

    The paper's figures, made for its own images (section 2), so that no gain has to fit them.
    """
    for name, layer in weighted_layers(net):
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.constant_(layer.bias, name.endswith(("conv2", "conv4", "conv5", "fc6", "fc7")))


NETS = {"alexnet": Architecture(AlexNet, initialise)}
