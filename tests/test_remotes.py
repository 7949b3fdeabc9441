"""A finished study goes to a remote, and comes back to a fresh clone, which has nothing left to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from clone import Clone
from moto.server import ThreadedMotoServer

KEYS = {"AWS_ACCESS_KEY_ID": "study", "AWS_SECRET_ACCESS_KEY": "study", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server that speaks S3 on this machine, with the bucket `study`."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    names = ("aws_access_key_id", "aws_secret_access_key", "region_name")
    client = boto3.client("s3", endpoint_url=address, **dict(zip(names, KEYS.values(), strict=True)))
    client.create_bucket(Bucket="study")
    yield address
    server.stop()


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
