"""The asset `data_profile`."""

# No postponed annotations here: Dagster reads those of the assets as they are defined.

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rai_assets.monitoring.profiles.settings import ProfileSettings
from rai_assets.store.assets import ResultAsset

if TYPE_CHECKING:
    from rai_assets.store.results import Result
    from rai_assets.store.stage import Stage

_SHOWN = 15  # columns whose share of missing values Dagster plots over the batches

PROFILE = """\
What every column of the batch holds: missing and distinct values, bounds, mean, quantiles, the most frequent values.

Profiles of several batches merge into that of a window without their rows. The file `profile.bin` is the same for
whylogs. No drift is read from it."""


def data_profile(settings: ProfileSettings) -> ResultAsset:
    """The asset that counts what the columns of a batch hold."""

    def compute(stage: "Stage") -> "Result":
        from rai_assets.monitoring.profiles.profile import profile_batch

        return profile_batch(stage, settings)

    return ResultAsset(
        thing="data_profile",
        description=PROFILE,
        stage="monitoring",
        kinds=frozenset({"arrow", *(["whylogs"] if settings.whylogs else [])}),
        reads=("batch",),
        follows=("batch",),
        settings=settings.model_dump(mode="json"),
        compute=compute,
        present=_present,
        per="batch",
    )


def _present(result: "Result") -> Mapping[str, Any]:
    shares = {
        f"missing share of {number.coordinates['column']}": float(number.value or 0) / number.n
        for number in result.numbers
        if "column" in number.coordinates and not number.group and number.n
    }
    return {"dagster/row_count": result.facts["rows"], **dict(list(shares.items())[:_SHOWN])}
