"""One step of a run: what it reads, pinned to commits, and the result it leaves on the results branch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from rai_assets import __version__
from rai_assets.compute.kept import Kept
from rai_assets.compute.pool import Pool, Serial
from rai_assets.errors import RaiError
from rai_assets.keys import PRODUCTION, UseCaseKeys, batch_folder, results_branch
from rai_assets.progress import Progress
from rai_assets.provenance import Provenance, digest_of, run_page
from rai_assets.store import results
from rai_assets.store.protocol import VersionedRepository
from rai_assets.store.results import Result


@dataclass(frozen=True)
class Stage:
    """A step of one run on one data branch, or on one batch of production. It reads the results as they stood before.

    Attributes:
        keys: Names of the use case.
        branch: The data branch that is audited, or `production`.
        repository: The use case's repository.
        run_id: Id of the run, for commit metadata.
        progress: Told how far long work is.
        batch: Key of the batch; empty for a step on a data branch.
        pool: Opens the pool over which the chunks of a big batch are spread.
        kept: What was read and made of what it reads; several questions of one step share it.
    """

    keys: UseCaseKeys
    branch: str
    repository: VersionedRepository
    run_id: str
    progress: Progress
    batch: str = ""
    pool: Callable[[], Pool] = Serial
    kept: Kept = field(default_factory=Kept, repr=False)
    _loaded: dict[str, Result] = field(default_factory=dict, repr=False)

    @classmethod
    def of_batch(
        cls,
        keys: UseCaseKeys,
        batch: str,
        repository: VersionedRepository,
        run_id: str,
        progress: Progress,
        known: Mapping[str, Result] | None = None,
    ) -> Stage:
        """A step on one batch of production.

        Args:
            keys: Names of the use case.
            batch: Key of the batch.
            repository: The use case's repository.
            run_id: The run that the step is part of.
            progress: Told how far it is.
            known: Results of the batch that need not be read, by asset.
        """
        return cls(keys, PRODUCTION, repository, run_id, progress, batch, _loaded=dict(known or {}))

    @property
    def results_branch(self) -> str:
        """The branch that holds this data branch's results."""
        return results_branch(self.branch)

    @property
    def folder(self) -> str:
        """Where the results stand on the results branch, with a slash at its end; empty for its root."""
        return batch_folder(self.batch) if self.batch else ""

    @cached_property
    def results_commit(self) -> str:
        """The head of the results branch when the step began."""
        return self.repository.resolve(self.results_branch)

    @cached_property
    def data_commit(self) -> str:
        """The commit of the audited data."""
        return self.result("batch" if self.batch else "dataset").provenance.commit

    @property
    def run_words(self) -> dict[str, str]:
        """The run, for the metadata of commits; with `RAI_DAGSTER_URL` its page too, which lakeFS shows as a button."""
        page = run_page(self.run_id)
        return {"run_id": self.run_id, **({"::lakefs::Dagster::url[url:ui]": page} if page else {})}

    def result(self, asset: str) -> Result:
        """The stored result of another asset of this data branch, or of this batch.

        Raises:
            RaiError: It has no result yet, or one made from others than those stored now.
        """
        if asset not in self._loaded:
            if asset not in results.assets(self.repository, self.results_commit, self.folder):
                raise RaiError(
                    f"{asset} has no result {self._place} yet",
                    where=self.keys.name,
                    fix=f"materialize {self.keys.name}/{asset} first"
                    + ("" if self.batch else f", or run `rai run {self.keys.name}`"),
                )
            loaded = results.load(self.repository, self.results_commit, asset, folder=self.folder)
            results.refuse_outdated(self.repository, self.results_commit, loaded, self.folder)
            self._loaded[asset] = loaded
        return self._loaded[asset]

    @property
    def _place(self) -> str:
        return f"of batch {self.batch!r}" if self.batch else f"on branch {self.branch!r}"

    def provenance(self, *, model: str | None = None, seed: int | None = None) -> Provenance:
        """What a result of this step is pinned to."""
        return Provenance(self.keys.name, self.branch, self.data_commit, model, seed)

    def input_digest(self, asset: str, settings: Any, reads: Sequence[str]) -> str:
        """Digest over everything the asset's result depends on: settings, code version, and the results it reads."""
        read = self._digests(reads)
        return digest_of({"asset": asset, "settings": settings, "code": __version__, "reads": read})

    def _digests(self, reads: Sequence[str]) -> dict[str, str]:
        return {name: self.kept.once(("digest", name), partial(self._digest, name)) for name in reads}

    def _digest(self, name: str) -> str:
        return results.read_digest(self.repository, self.results_commit, name, self.folder)

    def produce(
        self, asset: str, settings: Any, reads: Sequence[str], compute: Callable[[Stage], Result]
    ) -> tuple[Result, str, bool]:
        """The result of `asset`: the stored one where its inputs are the same, else computed and stored.

        The same data on another branch are the same input; a result that is taken over from there goes on naming what
        was read for it.

        Returns:
            The result, the results commit that holds it, and whether it was reused.
        """
        digest = self.input_digest(asset, settings, reads)
        found = results.find(self.repository, self.results_branch, asset, digest, self.folder)
        if found is None and not self.batch:
            found = results.take_over(
                self.repository,
                self.results_branch,
                asset,
                digest,
                message=f"{asset} of {self.branch}, reused",
                metadata={**self.run_words, "data_commit": self.data_commit},
            )
        if found is not None:
            return results.load(self.repository, found.id, asset, folder=self.folder), found.id, True
        result = self.made(reads, compute)
        return result, self.save(result, digest), False

    def made(self, reads: Sequence[str], compute: Callable[[Stage], Result]) -> Result:
        """A result, computed and not stored, with the digests of those that it read."""
        computed = compute(self)
        return replace(computed, facts={**computed.facts, results.READS: self._digests(reads)})

    def save(self, result: Result, input_digest: str) -> str:
        """Store a result on the results branch; returns the commit."""
        return results.save(
            self.repository,
            self.results_branch,
            result,
            input_digest,
            message=f"{result.asset} of {self.batch or self.branch}",
            metadata={**self.run_words, "data_commit": result.provenance.commit},
            folder=self.folder,
        ).id
