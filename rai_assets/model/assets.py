"""The assets `model`, `predictions` and `champion`."""

# No postponed annotations here: Dagster reads those of the assets as they are defined.

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from rai_assets import __version__
from rai_assets.keys import CHAMPION, MAIN, UseCaseKeys
from rai_assets.model.settings import ModelSettings
from rai_assets.store.assets import ResultAsset, code_reference, open_stage_on
from rai_assets.store.resource import Lake

if TYPE_CHECKING:
    from rai_assets.store.results import Result
    from rai_assets.store.stage import Stage

MODEL = """\
One version of the model as an ONNX file, learned from the training rows.

Before it is used its answers are compared with those of the fitted original on every training row and on rows with
missing and unseen values; where they differ the version is refused."""

PREDICTIONS = """\
What the model says of every row, computed once and read by every analysis."""

CHAMPION_TEXT = """\
The model that serves. It moves when the gate of `main` holds and the new version is not shown to be worse than the
present one on the same held-out rows; each move is one commit, and the reason is kept either way."""


def model_version(settings: ModelSettings, folder: Path) -> ResultAsset:
    """The asset that makes a model version."""

    def compute(stage: "Stage") -> "Result":
        from rai_assets.model.making import make_version

        return make_version(stage, settings, folder)

    def outside(_: "Stage") -> dict[str, Any]:
        from rai_assets.model.making import outside_of

        return outside_of(settings, folder)

    return ResultAsset(
        thing="model",
        description=MODEL,
        stage="model",
        kinds=frozenset({"onnx"} if settings.onnx else {"onnx", "scikitlearn"}),
        reads=("dataset", "splits"),
        follows=("splits",),
        settings=settings.model_dump(mode="json"),
        compute=compute,
        present=_present_model,
        outside=outside,
    )


def _present_model(result: "Result") -> dict[str, Any]:
    facts = result.facts
    return {
        "estimator": facts["version"]["estimator"],
        "parity": facts["parity_sentence"],
        **({"largest difference": float(facts["parity_difference"])} if "parity_difference" in facts else {}),
        "onnx bytes": len(result.files["model.onnx"]),
    }


def predictions(settings: ModelSettings) -> ResultAsset:
    """The asset that scores every row once."""

    def compute(stage: "Stage") -> "Result":
        from rai_assets.model.making import make_predictions

        return make_predictions(stage)

    return ResultAsset(
        thing="predictions",
        description=PREDICTIONS,
        stage="model",
        kinds=frozenset({"onnx", "parquet"}),
        reads=("dataset", "model"),
        follows=("model",),
        settings={"threshold": settings.threshold},
        compute=compute,
        present=lambda result: {"dagster/row_count": result.tables["predictions"].num_rows},
    )


def champion_asset(keys: UseCaseKeys) -> dg.AssetsDefinition:
    """The unpartitioned asset that moves the champion or says why not."""

    @dg.asset(
        key=keys.asset(CHAMPION),
        deps=[
            dg.AssetDep(
                dg.AssetKey(keys.asset("scorecard")),
                partition_mapping=dg.SpecificPartitionsPartitionMapping([MAIN]),
            )
        ],
        group_name=keys.name,
        owners=list(keys.owners),
        kinds={"onnx"},
        tags={"rai/stage": "model"},
        description=CHAMPION_TEXT,
        code_version=__version__,
        metadata=code_reference(keys),
    )
    def champion(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult:
        from rai_assets.model.making import promote

        with open_stage_on(MAIN, context, lake, keys, CHAMPION) as stage:
            promotion = promote(stage)
            return dg.MaterializeResult(
                data_version=dg.DataVersion(promotion.serving or "none"),
                metadata={
                    "decision": promotion.decision.reason,
                    "promoted": promotion.decision.promote,
                    "serving model": promotion.serving or "none",
                    "challenger": promotion.challenger,
                    **({"commit": promotion.commit} if promotion.commit else {}),
                },
            )

    return champion
