"""Where a number comes from: the data commit, the model, the formula, and the address that names it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from rai_assets import __version__
from rai_assets.errors import UsageError

_ADDRESS = re.compile(
    r"(?P<use_case>[a-z][a-z0-9_]*)@(?P<commit>[0-9a-f]+):(?P<asset>(?:[a-z0-9][a-z0-9_-]*/)*[a-z_]+)#(?P<definition>[a-z0-9_]+@\d+)"
    r"(?:\[(?P<coordinates>[^\[\]]*)\])?"
)


def run_page(run_id: str) -> str:
    """The page of a run, if `RAI_DAGSTER_URL` says where Dagster's pages are; else empty."""
    pages = os.environ.get("RAI_DAGSTER_URL", "").rstrip("/")
    return f"{pages}/runs/{run_id}" if pages else ""


@dataclass(frozen=True)
class Provenance:
    """What a result was computed from.

    Attributes:
        use_case: Name of the use case.
        branch: Data branch that was read.
        commit: Full id of the data commit that was read.
        model: SHA-256 of the ONNX file, or None where the data carries logged decisions.
        seed: Seed of every random choice in the result, or None where nothing was random.
        code_version: Version of this package.
    """

    use_case: str
    branch: str
    commit: str
    model: str | None = None
    seed: int | None = None
    code_version: str = __version__

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Address:
    """The name of one number: `<use_case>@<results commit>:<asset>#<definition>[<coordinates>]`.

    Group columns stand as they are (`sex=F`), every other coordinate with a leading dot (`.feature=age`), so
    that a column called `feature` cannot be taken for one. The asset of a batch is `batches/<key>/<asset>`.
    """

    use_case: str
    commit: str
    asset: str
    definition: str
    coordinates: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        inner = ",".join(f"{_escape(name)}={_escape(value)}" for name, value in self.coordinates.items())
        return f"{self.use_case}@{self.commit}:{self.asset}#{self.definition}" + (f"[{inner}]" if inner else "")

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address.

        Raises:
            UsageError: `text` does not have the form of an address.
        """
        match = _ADDRESS.fullmatch(text.strip())
        if match is None:
            raise UsageError(
                f"{text!r} is not the address of a number",
                fix="copy one from `rai metrics NAME --format json`, e.g. "
                "lending@3f2a9c...:fairness_audit#false_positive_rate@1[sex=F]",
            )
        pairs = [part.partition("=") for part in (match["coordinates"] or "").split(",") if part]
        coordinates = {unquote(name): unquote(value) for name, _, value in pairs}
        return cls(match["use_case"], match["commit"], match["asset"], match["definition"], coordinates)


def _escape(text: str) -> str:
    return quote(text, safe=" .<>+/()'!*;:$&?~")


def digest_of(value: Any) -> str:
    """SHA-256 (hex) of a JSON value in canonical form: sorted keys, no blanks, no NaN.

    Raises:
        ValueError: The value holds a NaN or an infinity, which JSON cannot carry.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
