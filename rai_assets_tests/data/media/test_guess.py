"""`rai init --media`: the column that names the files is found, and what is written reads back to the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rai_assets.data.column_guess import Wishes
from rai_assets.data.inference import infer
from rai_assets.data.media.guess import with_media
from rai_assets.data.media.settings import FACTS
from rai_assets.data.settings import DatasetSettings
from rai_assets.data.template import dataset_yaml
from rai_assets.errors import InputRefused, UsageError
from rai_assets_tests.data.media import making


def guess(tmp_path: Path, table: str, folder: str = "media") -> tuple[DatasetSettings, str, str]:
    for name in ("a.png", "sub/b.png"):
        (tmp_path / "media" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "media" / name).write_bytes(making.png())
    data = tmp_path / "labels.csv"
    data.write_text(table)
    settings, _ = infer([data], base=tmp_path, wishes=Wishes(target="y", prediction="p"))
    return with_media(settings, [data], tmp_path / folder, folder)


def test_the_column_most_of_whose_values_are_files_names_them(tmp_path: Path) -> None:
    found, column, said = guess(tmp_path, "id,picture,y,p\na.png,a.png,1,1\n7,sub/b.png,0,1\n8,gone.png,1,0\n")
    assert (found.media and found.media.path, column) == ("picture", "picture")
    assert said == f"picture names the row's file in {tmp_path / 'media'}: 2 of the 3 rows do"
    assert found.columns["picture"].role == "identifier"
    assert found.file_columns == ("id", "picture", "y", "p")
    assert list(found.columns)[4:] == list(FACTS)


@pytest.mark.parametrize(("gone", "said"), [(0, "all of the first 200 rows do"), (3, "197 of the first 200 rows do")])
def test_of_a_long_table_the_first_rows_are_looked_at(tmp_path: Path, gone: int, said: str) -> None:
    rows = ["x.png,1,1"] * gone + ["a.png,1,1", "sub/b.png,0,0"] * 150
    assert guess(tmp_path, "picture,y,p\n" + "\n".join(rows) + "\n")[2].endswith(f": {said}")


def test_what_is_written_reads_back_and_leaves_out_what_needs_no_word(tmp_path: Path) -> None:
    found, *_ = guess(tmp_path, "picture,y,p\na.png,1,1\nsub/b.png,0,1\n")
    text = dataset_yaml(found)
    assert "media: {folder: media, path: picture}" in text
    assert "media_width:" not in text
    assert DatasetSettings.model_validate(yaml.safe_load(text)) == found


def test_without_such_a_column_or_folder_nothing_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no column of labels.csv names files(.|\n)*compare: (a.png|sub/b.png)"):
        guess(tmp_path, "picture,y,p\nx.png,1,1\n../labels.csv.png,0,1\n")
    with pytest.raises(InputRefused, match="there is no such file"):
        guess(tmp_path, "picture,y,p\na.png,1,1\nsub/b.png,0,1\n", folder="nowhere")
