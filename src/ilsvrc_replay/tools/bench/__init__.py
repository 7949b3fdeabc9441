"""How fast a study trains, compared with the bare steps of its nets and with two libraries' data loaders.

Net, batches, optimiser and loop are those of stage train.
"""

from ilsvrc_replay.layers.compat import make_torchvision_importable

make_torchvision_importable()
