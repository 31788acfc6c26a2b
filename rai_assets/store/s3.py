"""Reading a lakeFS repository through its S3 gateway, for libraries that speak S3.

The gateway is for reading: what it deletes it may not delete, and says it did; it has no commits; and its errors
mislead. Objects are written, deleted and moved through `VersionedRepository`. A bucket is a repository, and a key is
`<ref>/<path>`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rai_assets.errors import UsageError
from rai_assets.store.lakefs_reading import LakeFSReader
from rai_assets.store.protocol import VersionedRepository

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset
    from pyarrow.fs import S3FileSystem

_REGION = "us-east-1"  # what lakeFS signs with unless its administrator chose another


def s3_filesystem(repository: VersionedRepository) -> S3FileSystem:
    """A file system over the server's repositories; paths are `<repository>/<commit>/<path>`.

    Read only what a commit id names: a branch shows what nobody has committed yet, and a ref that does not exist is an
    `OSError` that says something else.

    Raises:
        UsageError: The repository is not on a lakeFS server.
    """
    from pyarrow.fs import S3FileSystem

    settings = _lakefs(repository).connection.settings
    # Older versions of pyarrow do not know this word, so it is said only where it is needed.
    trust = {"tls_ca_file_path": str(settings.ca_file)} if settings.ca_file else {}
    address = urlsplit(settings.endpoint)
    return S3FileSystem(
        access_key=settings.access_key_id,
        secret_key=settings.secret_access_key,
        endpoint_override=address.netloc,
        scheme=address.scheme,
        region=_REGION,
        request_timeout=settings.timeout,
        **trust,
    )


def s3_dataset(repository: VersionedRepository, ref: str, path: str) -> Dataset:
    """A Parquet object, or a folder of them, as a dataset that reads only the columns and row groups asked for.

    The bytes are not compared with the digest they were stored with; `VersionedRepository.open` does that.

    Args:
        repository: On a lakeFS server.
        ref: Resolved once, through the API.
        path: An object or a folder.

    Raises:
        UsageError: The repository is not on a lakeFS server.
        NotFound: There is no such ref.
    """
    import pyarrow.dataset

    place = f"{repository.repository}/{repository.resolve(ref)}/{path}"
    return pyarrow.dataset.dataset(place, filesystem=s3_filesystem(repository), format="parquet")


def _lakefs(repository: VersionedRepository) -> LakeFSReader:
    if not isinstance(repository, LakeFSReader):
        raise UsageError(
            "this store has no S3 gateway", where=repository.repository, fix="set RAI_STORE to a lakeFS server"
        )
    return repository
