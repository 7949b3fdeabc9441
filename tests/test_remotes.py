"""A finished study goes to a remote, and comes back to a fresh clone, which has nothing left to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bucket import KEYS, bucket
from clone import Clone


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with bucket("study") as address:
        yield address


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_clone_that_pulls_a_finished_study_has_nothing_to_do(
    clone: Clone, tmp_path: Path, endpoint: str, kind: str
) -> None:
    clone.run("dvc", "remote", "add", "--default", kind, "s3://study/dvc" if kind == "s3" else str(tmp_path / "store"))
    if kind == "s3":
        clone.run("dvc", "remote", "modify", kind, "endpointurl", endpoint)
    clone.run("dvc", "push", **KEYS)
    clone.commit()
    (tmp_path / "home").mkdir()
    clone.run("git", "clone", "-q", str(clone.folder), str(tmp_path / "fresh"))
    fresh = Clone(tmp_path / "fresh")
    fresh.run("dvc", "pull", **KEYS)
    assert fresh.made() == clone.made()
    assert "everything is up to date" in fresh.run("replay", "run")
