"""How a device is chosen and set, as far as that shows without one."""

from __future__ import annotations

import pytest
import torch

from ilsvrc_replay.device import choose_device
from ilsvrc_replay.run import Compute


def test_fp32_on_cuda_is_fp32_in_convolutions_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    assert choose_device(Compute(device="cuda")) == torch.device("cuda")
    assert not torch.backends.cudnn.allow_tf32
