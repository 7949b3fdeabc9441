from __future__ import annotations

import subprocess
import sys

CODE = """
from ilsvrc_replay.layers.compat import make_torchvision_importable
make_torchvision_importable()
make_torchvision_importable()
import torch, torchvision, timm
print(torchvision.models.get_model("resnet18").eval()(torch.zeros(1, 3, 32, 32)).shape[1])
"""


def test_torchvision_and_timm_can_be_imported_beside_this_torch() -> None:
    result = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["1000"]
