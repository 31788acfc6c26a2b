"""The profile that whylogs reads: made from Arrow chunk by chunk, and merged."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pyarrow as pa

from rai_assets.data.contract import Contract

FILE = "profile.bin"


def whylogs_profile(rows: pa.RecordBatch, contract: Contract, time: str) -> bytes:
    """The profile of some rows, as whylogs writes it to a file.

    It counts what `why.log` counts on a pandas frame of these rows. Identifiers stay out: it would keep their values.

    Args:
        rows: A chunk; its pandas form is all that is copied.
        contract: The contract of the data.
        time: The time of the batch, ISO with an offset; it dates the profile.
    """
    import pandas as pd

    views = _whylogs()
    instant = datetime.fromisoformat(time)
    made = views.DatasetProfile(schema=_schema(), dataset_timestamp=instant, creation_timestamp=instant)
    names = [name for name in contract.names if name not in contract.identifiers]
    table = pa.Table.from_batches([rows.select(names)])
    for at, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(field.type.value_type))
    # A column of texts by its type is looked at once; of objects, whylogs asks each value five times what it is.
    frame = table.to_pandas(types_mapper={pa.string(): pd.StringDtype("python")}.get, integer_object_nulls=True)
    made.track(pandas=frame)
    return bytes(made.view().serialize())


def merged_profiles(profiles: Iterable[bytes]) -> bytes | None:
    """The profile of all parts, one after the other; None without any."""
    whole = None
    for content in profiles:
        part = _whylogs().DatasetProfileView.deserialize(content)
        whole = part if whole is None else whole.merge(part)
    return None if whole is None else bytes(whole.serialize())


def _schema() -> Any:
    """What `why.log` counts; its default form makes sketches of two dozen alphabets for every text column, unused."""
    views = _whylogs()
    from whylogs.core.resolvers import StandardResolver

    return views.DatasetSchema(resolvers=StandardResolver())


def _whylogs() -> Any:
    # It would tell its makers of every use.
    os.environ["WHYLOGS_NO_ANALYTICS"] = "True"
    from whylogs import core

    return core
