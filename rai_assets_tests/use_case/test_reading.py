"""What is read back from the store: the model of an audit, open for single records."""

from __future__ import annotations

import pyarrow as pa
import pytest

from rai_assets.errors import InputRefused, RaiError
from rai_assets.model.scoring import ScoringSession
from rai_assets.model.version import ModelVersion
from rai_assets.store import results
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.reading import record_scorer, repository_of
from rai_assets.use_case.run import run


def test_a_record_gets_the_answer_of_the_last_audits_model(loans: Declared) -> None:
    with pytest.raises(RaiError, match="has not been run"), record_scorer("loans"):
        pass
    run(loans)
    records = [{"weekday": "mon", "income": 52.5}, {"weekday": "sunday", "income": 30.0, "sex": "F"}]
    with record_scorer("loans") as scorer:
        answers = scorer.score(records)
        with pytest.raises(InputRefused, match="'income' is -1, below the minimum 0"):
            scorer.score([{"weekday": "mon", "income": -1}])
    version = ModelVersion.from_files(results.load(repository_of("loans"), "results-main", "model").files)
    with ScoringSession(version) as session:
        rows = pa.Table.from_pylist([{"weekday": row["weekday"], "income": row["income"]} for row in records])
        assert answers.scores.tolist() == session.scores(rows).tolist()
    assert answers.decisions is not None
    assert answers.decisions.tolist() == [1, 0]
    assert answers.unseen == ((), ("weekday",))
    with pytest.raises(RaiError, match="no data branch 'trial'"), record_scorer("loans", "trial"):
        pass
