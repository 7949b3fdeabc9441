"""How long a study takes on this machine, told before anything of it is trained."""

from ilsvrc_replay.layers.compat import make_torchvision_importable

make_torchvision_importable()
