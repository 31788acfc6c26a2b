"""S3 as a Dagster resource."""

from __future__ import annotations

from typing import Any


def s3_client(endpoint: str | None) -> Any:
    """boto3's client for S3, as `dagster-aws` makes it; region and credentials are those of the environment.

    Args:
        endpoint: Address of the server; AWS when None.
    """
    from dagster_aws.s3 import S3Resource

    return S3Resource(endpoint_url=endpoint).get_client()
