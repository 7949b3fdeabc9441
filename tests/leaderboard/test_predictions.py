from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ilsvrc_replay.leaderboard.predictions import labels_tested
from ilsvrc_replay.params import Study

TEST, VALIDATION = np.array([3, 1, 2]), np.array([5, 4])


@pytest.mark.parametrize(
    ("saved", "expected"),
    [({"labels": TEST, "validation_labels": VALIDATION}, TEST), ({"validation_labels": VALIDATION}, VALIDATION)],
)
def test_a_board_is_known_by_the_labels_of_the_images_that_it_was_tested_on(
    study: Callable[..., Study], tmp_path: Path, saved: dict[str, np.ndarray], expected: np.ndarray
) -> None:
    np.savez(tmp_path / "net-0.npz", **saved)
    assert np.array_equal(labels_tested(study("alexnet"), tmp_path), expected)
