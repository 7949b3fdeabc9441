"""Training, with Lightning."""

from ilsvrc_replay.layers.compat import make_torchvision_importable

make_torchvision_importable()  # for Lightning, and for timm where a recipe or several processes need it
