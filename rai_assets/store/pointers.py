"""What git stores in place of an object: one line that names its content, `sha256:<hex> <size> <JSON>`.

It is one line so that no merge by lines can mix two of them. Content type and metadata stand in it because they
are part of an object's identity, as in lakeFS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from rai_assets.store.blobs import Blob
from rai_assets.store.protocol import ObjectInfo


@dataclass(frozen=True)
class Pointer:
    """An object's identity.

    Attributes:
        blob: Digest and size of the content.
        content_type: Media type.
        metadata: The writer's words.
    """

    blob: Blob
    content_type: str
    metadata: Mapping[str, str]

    def encode(self) -> bytes:
        """The line, the same for the same identity."""
        rest: dict[str, object] = {"content_type": self.content_type}
        if self.metadata:
            rest["metadata"] = dict(self.metadata)
        text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
        return f"sha256:{self.blob.sha256} {self.blob.size} {text}\n".encode("ascii")

    @classmethod
    def decode(cls, line: bytes) -> Pointer:
        """The identity that `encode` wrote."""
        digest, size, text = line.decode("ascii").split(" ", 2)
        rest = json.loads(text)
        blob = Blob(digest.removeprefix("sha256:"), int(size))
        return cls(blob, rest["content_type"], rest.get("metadata", {}))

    def info(self, path: str) -> ObjectInfo:
        """The object at `path`, for callers."""
        return ObjectInfo(path, self.blob.size, self.blob.sha256, self.content_type, self.metadata)
