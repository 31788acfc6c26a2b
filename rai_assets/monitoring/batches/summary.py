"""What is known of a published batch, as the result of the asset `batch`."""

from __future__ import annotations

from rai_assets.keys import PRODUCTION, UseCaseKeys
from rai_assets.metrics.number import Number
from rai_assets.monitoring.batches.accept import Accepted
from rai_assets.provenance import Provenance, digest_of
from rai_assets.store import results
from rai_assets.store.results import Result
from rai_assets.store.stage import Stage


def summarize(stage: Stage, accepted: Accepted) -> tuple[Result, str, bool]:
    """Store what is known of a published batch as the result of `batch`.

    Returns:
        The result, the results commit that holds it, and whether it was there already.
    """
    result, digest = batch_result(stage.keys, accepted)
    found = results.find(stage.repository, stage.results_branch, "batch", digest, stage.folder)
    if found is not None:
        return results.load(stage.repository, found.id, "batch", folder=stage.folder), found.id, True
    return result, stage.save(result, digest), False


def batch_result(keys: UseCaseKeys, accepted: Accepted) -> tuple[Result, str]:
    """What is known of a published batch, and the digest of what that depends on."""
    record = accepted.record
    provenance = Provenance(keys.name, PRODUCTION, accepted.commit)
    result = Result(
        asset="batch",
        provenance=provenance,
        numbers=[Number("count@1", float(record.rows), n=record.rows, unit="count").pinned(provenance)],
        facts={
            "rows": record.rows,
            "revision": record.revision,
            "contract": record.contract,
            "time": record.time,
            "span": record.span,
            "sources": {source.path: source.sha256 for source in record.tables},
            **({"named": len(named)} if (named := [item for item in record.sources if item.named_by]) else {}),
            "rules": list(record.findings),
            "override": record.override,
        },
    )
    return result, digest_of({"asset": "batch", "revision": record.revision, "files": record.digest})
