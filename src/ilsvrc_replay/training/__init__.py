"""Training, on Lightning Fabric."""

import sys

from ilsvrc_replay.compat import make_torchvision_importable

make_torchvision_importable()  # for timm, where a recipe or several processes need it

if "torchmetrics" not in sys.modules:
    sys.modules["torchmetrics"] = None  # Fabric asks for its version alone, and would import it: a second
    import lightning_fabric  # noqa: F401

    del sys.modules["torchmetrics"]
