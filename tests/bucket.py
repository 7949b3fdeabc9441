"""A server that speaks S3 on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from moto.server import ThreadedMotoServer

KEYS = {"AWS_ACCESS_KEY_ID": "study", "AWS_SECRET_ACCESS_KEY": "study", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def bucket(name: str) -> Iterator[str]:
    """The server's address while the block lasts, with an empty bucket."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        address = "http://{}:{}".format(*server.get_host_and_port())
        names = ("aws_access_key_id", "aws_secret_access_key", "region_name")
        client = boto3.client("s3", endpoint_url=address, **dict(zip(names, KEYS.values(), strict=True)))
        client.create_bucket(Bucket=name)
        yield address
    finally:
        server.stop()
