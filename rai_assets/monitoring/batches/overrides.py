"""A person's word that a batch may pass in spite of what its audit found: about these very files, and these rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rai_assets.monitoring.batches.contracts import read_json
from rai_assets.monitoring.batches.findings import Finding
from rai_assets.store.protocol import VersionedRepository

FOLDER = "overrides/"


@dataclass(frozen=True)
class Word:
    """A person's word on a batch.

    Attributes:
        key: The batch.
        digest: Over the files that it is about; others need another word.
        of: The rules that do not hold, and need not.
        by: Who gave it.
        time: When, ISO, UTC.
        reason: Why.
    """

    key: str
    digest: str
    of: tuple[str, ...]
    by: str
    time: str
    reason: str

    @property
    def sentence(self) -> str:
        """The word as people read it."""
        return f"{self.by} lets it pass on {self.time[:10]}: {self.reason}"

    @property
    def path(self) -> str:
        """Where it lies on `production`."""
        return f"{FOLDER}{self.key}.json"

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Word:
        """The word that `as_json` wrote."""
        return cls(**{**value, "of": tuple(value["of"])})

    def on(self, findings: Sequence[Finding]) -> list[Finding]:
        """Findings on its files: what the word is about stays failed, and refuses the batch no more."""
        return [self._on(item) if item.rule in self.of and not item.passed else item for item in findings]

    def _on(self, finding: Finding) -> Finding:
        return replace(finding, blocking=False, sentence=f"{finding.sentence}\n{self.sentence}")


def words_on(repository: VersionedRepository, commit: str) -> dict[str, Word]:
    """{batch: the last word that was given on it} in a commit of `production`."""
    found = {}
    for item in repository.list_objects(commit, FOLDER):
        value = read_json(repository, commit, item.path)
        if value is not None:
            found[value["key"]] = Word.from_json(value)
    return found
