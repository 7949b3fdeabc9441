"""Training with Lightning, which imports torchvision where it is installed."""

from ilsvrc_replay.compat import make_torchvision_importable

make_torchvision_importable()
