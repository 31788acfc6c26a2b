"""What is stored and shown of a data set: counts, columns, and a preview that fits inline."""

from __future__ import annotations

from pathlib import Path

from rai_assets.data.dataset import Dataset
from rai_assets.data.ingest import ingest
from rai_assets.data.settings import DatasetSettings
from rai_assets.data.summary import summarize
from rai_assets.progress import Progress
from rai_assets.provenance import Provenance
from rai_assets.store.open import open_repository
from rai_assets.store.results import Result

LONG = "x" * 150


def summary(folder: Path, text: str, columns: dict) -> Result:
    (folder / "data.csv").write_text(text)
    settings = DatasetSettings.model_validate({"files": [{"path": "data.csv"}], "columns": columns})
    repository = open_repository(folder / ".rai", "rai-shown")
    done = ingest(settings, folder, repository, "main", run_id="1")
    assert done.accepted, [rule.sentence for rule in done.rules]
    provenance = Provenance("shown", "main", done.commit)
    return summarize(Dataset(repository, done.commit), provenance, done.rules, Progress(lambda line: None))


def test_rows_missing_values_and_distinct_ones_are_counted(tmp_path: Path) -> None:
    found = summary(
        tmp_path,
        "id,a,b\n1,x,\n2,y,3\n3,x,4\n",
        {
            "id": {"role": "identifier", "dtype": "text"},
            "a": {"dtype": "category"},
            "b": {"dtype": "integer", "missing": "allowed"},
        },
    )
    assert found.facts["rows"] == 3
    assert found.facts["files"] == {"data.csv": 3}
    counted = {column["name"]: (column["missing"], column["distinct"]) for column in found.facts["columns"]}
    assert counted == {"id": (0, 3), "a": (0, 2), "b": (1, 2)}
    values = {(n.definition, n.coordinates.get("column")): n.value for n in found.numbers}
    assert values[("count@1", None)] == 3
    assert values[("missing_count@1", "b")] == 1


def test_the_preview_fits_inline_hides_identifiers_and_is_no_markup(tmp_path: Path) -> None:
    names = [f"column_{index}" for index in range(60)]
    row = ",".join(["![](http://example.com/a.png)", "a|b", "<b>"] + [LONG] * 57)
    found = summary(
        tmp_path,
        f"id,{','.join(names)}\n" + f"secret-1,{row}\n" * 3,
        {"id": {"role": "context", "dtype": "text"}, **{name: {"dtype": "text"} for name in names}},
    )
    preview = found.facts["preview"]
    assert len(preview) < 1_000
    assert "![](" not in preview
    assert all(line.count(" | ") == preview.splitlines()[0].count(" | ") for line in preview.splitlines()[2:])
