"""What is asked of every accepted batch, in the order in which it is made."""

from rai_assets.data.settings import DatasetSettings
from rai_assets.monitoring.batches.assets import batch_predictions
from rai_assets.monitoring.settings import ProductionSettings
from rai_assets.store.assets import ResultAsset


def batch_assets(dataset: DatasetSettings, settings: ProductionSettings, *, has_model: bool) -> list[ResultAsset]:
    """The assets that follow `batch`. A new question about batches is one more entry here, with `per="batch"`.

    Its body gets a `Stage` of the batch: `batches.scoring.batch_of(stage)` gives the rows, `champion_of` the model and
    the reference's commit, `stage.result("batch_predictions")` the predictions.

    Args:
        dataset: The declared contract.
        settings: The declared production.
        has_model: Whether the use case makes a model; else its batches carry logged decisions.
    """
    return [batch_predictions()] if has_model else []
