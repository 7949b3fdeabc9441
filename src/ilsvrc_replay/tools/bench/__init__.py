"""How fast a study trains: against its own nets without a loop around them, and against two libraries' data loaders.

Of the training package it takes the real thing: the same net, batches, optimiser and loop as a stage.
"""

from ilsvrc_replay.layers.compat import make_torchvision_importable

make_torchvision_importable()
