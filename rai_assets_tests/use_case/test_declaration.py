"""A declaration is read strictly, and every refusal names its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rai_assets.errors import DeclarationError
from rai_assets.use_case.declaration import find, load, load_all
from rai_assets_tests.use_case.conftest import VALID, write


def test_a_declaration_is_read_with_its_line(tmp_path: Path) -> None:
    declared = load(write(tmp_path, VALID))
    assert declared is not None
    assert declared.use_case.name == "loans"
    assert declared.line == 3
    assert declared.use_case.requirements[0].at_most == 0.1


@pytest.mark.parametrize(
    ("broken", "line", "said"),
    [
        (VALID.replace("name: loans", "name: Loans!"), 3, "name"),
        (VALID.replace("role: feature", "role: featur"), 8, "featur"),
        (VALID.replace("owners:", "owner:"), 4, "owner: is not known here"),
        (VALID.replace("sensitive: [sex], at_most", "sensitive: [gender], at_most"), 13, "gender"),
        (VALID.replace("at_most: 0.1", "at_most: 0.1, at_least: 0.2"), 13, "one of"),
        (
            VALID.replace("demographic_parity_difference", "demographic_parity_diference"),
            13,
            "demographic_parity_difference",
        ),
        (VALID.replace("sensitive: [sex], at_most", "at_most"), 13, "compares groups"),
        (VALID.replace("estimator: logistic_regression", "estimator: logistic"), 11, "logistic"),
        (VALID + "  name: again\n", 14, "stands twice"),
        (VALID.replace('["team:risk"]', "!!python/name:os.system []"), 4, "tag"),
        (VALID.replace("team:risk", "Risk office"), 4, "Risk office"),
        (VALID + "  analyses: {fairness: {stratifiers: [grade]}}\n", 14, "'grade' is not a declared column"),
        (VALID + "  analyses: {fairness: {reference: {gender: F}}}\n", 14, "'gender' is not a column with role"),
        (VALID.replace("sex: {", '"sex,age": {').replace("[sex]", '["sex,age"]'), 5, "has a comma in its name"),
        (VALID + "  production: {inbox: {path: in}, drift: {methods: [guess]}}\n", 14, "no method 'guess'; one of ks,"),
        (
            VALID
            + "  alerts: {channels: {ops: {type: mail, to: [me@x.org]}}, rules: [{when: metric_crossed, to: [ops], "
            "asset: evaluation, definition: acuracy, at_least: 0.5}]}\n",
            14,
            "alerts.rules.0: there is no metric 'acuracy'; did you mean accuracy",
        ),
        (
            VALID.replace("    columns:", "    split: {by: time, column: income, test_from: soon}\n    columns:"),
            5,
            "'soon' is no place to split 'income' at; write a number",
        ),
        (
            VALID.replace("    columns:", "    split: {by: time, test_from: 2026-13-01}\n    columns:").replace(
                "income: {role: feature, dtype: number}", "day: {role: timestamp, dtype: timestamp}"
            ),
            5,
            "'2026-13-01' is no place to split 'day' at; write a time as 2026-01-31",
        ),
        ("attributes: {}\n", 1, "type:"),
        ("type: [\n", 2, "not valid YAML"),
    ],
)
def test_a_refusal_names_the_line_and_the_word(tmp_path: Path, broken: str, line: int, said: str) -> None:
    path = write(tmp_path, broken)
    with pytest.raises(DeclarationError) as refused:
        load(path)
    assert said in str(refused.value)
    assert f"{path}:{line}" in str(refused.value)
    assert str(refused.value).count("Fix: ") == 1


@pytest.mark.parametrize(
    ("production", "said"),
    [
        ("profile: {by: [sxe]}", "production.profile.by.0: 'sxe' is not a declared column; did you mean sex?"),
        (
            "drift: {columns: {incme: [ks]}}",
            "production.drift.columns: 'incme' is no column that drift is looked at in; did you mean income?",
        ),
        ("drift: {only: [sex, note]}", "production.drift.only: 'note' is no column"),
        (
            "drift: {importance: {repayed: 2}}",
            "did you mean repaid? there are income, sex, repaid, decision of the model",
        ),
        ("drift: {categorical: [person]}", "'person' is no column that drift is looked at in"),
        ("drift: {timestamp: income}", "production.drift.timestamp: 'income' is no column of times; there are day"),
        (
            "drift: {columns: {sex: [chi_squared, ks]}}",
            "production.drift.columns.sex.1: ks does not compare what 'sex' holds, values that are no numbers; there",
        ),
        (
            "drift: {columns: {income: [ks, unseen]}}",
            "unseen does not compare what 'income' holds, numbers that another",
        ),
        ("drift: {columns: {income: [length]}}", "length does not compare what 'income' holds, numbers; there are ks,"),
        (
            "drift: {categorical: [income], columns: {income: [ks]}}",
            "ks does not compare what 'income' holds, values that are no numbers",
        ),
        ("drift: {columns: {decision of the model: [ks]}}", "ks does not compare what 'decision of the model' holds"),
        ("drift: {columns: {sex: []}}", "production.drift.columns.sex: is empty"),
        ("drift: {minimum_effect: 1.5}", "no effect but those of psi and wasserstein is above 1, and neither is asked"),
        ("drift: {chunks: 0}", "is 0, and may be `daily`, `monthly` or a whole number of rows, at least 1"),
        ("drift: {missing: ['?']}", "production.drift.missing: batches are read as the data set is"),
        ("performance: {calibration: calibration}", "performance.calibration: no rows are for calibration"),
        (
            f"drift: {{embedding: {{model: e.onnx, sha256: {64 * 'a'}}}}}",
            "production.drift.embedding: an embedding is of pictures, and the rows name none",
        ),
        ("labels: {path: ./in/}", "production: `labels` and `inbox` are two places"),
        ("labels: {path: in/labels}", "production: `labels` and `inbox` are two places"),
        ("labels: {path: PLACE/in}", "production.labels: `labels` and `inbox` are two places"),
        ("labels: {path: link}", "production.labels: `labels` and `inbox` are two places"),
    ],
)
def test_what_is_said_of_a_column_or_a_place_that_no_batch_has_is_refused(
    tmp_path: Path, production: str, said: str
) -> None:
    columns = (
        "{role: ignored, dtype: text}\n      person: {role: identifier, dtype: text}\n      day: {role: timestamp, "
    )
    text = VALID.replace("      income: {", f"      note: {columns}dtype: timestamp}}\n      income: {{")
    (tmp_path / "loans" / "in").mkdir(parents=True)
    (tmp_path / "loans" / "link").symlink_to("in")
    production = production.replace("PLACE", str(tmp_path / "loans"))
    with pytest.raises(DeclarationError) as refused:
        load(write(tmp_path, text + f"  production: {{inbox: {{path: in}}, {production}}}\n"))
    assert said in str(refused.value)
    right = "profile: {by: [sex]}, drift: {columns: {score of the model: [ks]}, only: [income, score of the model]}"
    assert load(write(tmp_path, text + f"  production: {{inbox: {{path: in}}, labels: {{path: inn}}, {right}}}\n"))


@pytest.mark.parametrize(
    ("production", "said"),
    [
        ("", "production: is empty\n  Fix: write its keys below it, or leave `production` out"),
        ("{inbox: {path: .}}", "production.inbox.path: '.' holds the declaration itself, and may hold the data set"),
        ("{inbox: {path: loans.csv}}", "production.inbox.path: 'loans.csv' is a file"),
        ("{inbox: {branch: a b}}", "production.inbox: 'a b' is no branch name"),
        ("{inbox: {branch: main}}", "production.inbox: `branch: main` holds what the product writes"),
        ("{inbox: {branch: results-main}}", "`branch: results-main` holds what the product writes"),
        ("{inbox: {branch: new, repository: A}}", "production.inbox: 'A' is no repository name"),
        ("{inbox: {path: in}, logged: {score: p, decision: p}}", "'p' cannot be both the score and the decision"),
        ("{inbox: {path: in}, profile: {by: [income]}}", "production.profile.by.0: 'income' has no groups"),
    ],
)
def test_what_cannot_work_in_production_is_refused_before_a_batch_comes(
    tmp_path: Path, production: str, said: str
) -> None:
    path = write(tmp_path, VALID + f"  production: {production}\n")
    (path.parent / "loans.csv").write_text("income,sex,repaid\n")
    with pytest.raises(DeclarationError) as refused:
        load(path)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{path}:14: ")


@pytest.mark.parametrize(
    ("channel", "said", "fix"),
    [
        ("{}", "alerts.channels.ops: has no `type`", "add it, e.g. `type: webhook`"),
        ("mail", "alerts.channels.ops: has no keys of its own", "write the keys of `ops` below it"),
        ("{type: mial}", "has the type 'mial', and may have 'webhook', 'mail', 'service'", "choose one of these"),
        ("{type: mail, to: []}", "alerts.channels.ops.to: is empty", "write something into `to`"),
        (
            "{type: mail, to: [a@b.ch], url: x}",
            "alerts.channels.ops.url: is not known here",
            "the keys there are type, to",
        ),
        (
            "{type: service, url_env: 'slack://hush'}",
            "url_env: is no name of an environment variable",
            "url_env` there",
        ),
    ],
)
def test_a_channel_that_cannot_be_used_is_refused_without_its_secret(
    tmp_path: Path, channel: str, said: str, fix: str
) -> None:
    with pytest.raises(DeclarationError) as refused:
        load(write(tmp_path, VALID + f"  alerts: {{channels: {{ops: {channel}}}}}\n"))
    assert said in str(refused.value)
    assert fix in refused.value.fix
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://example.org/token", "this is no https URL; write it as https://host/path"),
        ("example.org/token", "this is no https URL"),
        ("https://", "this is no https URL"),
        ("https://example.org:port/token", "the URL cannot be read"),
        ("https://me:token@example.org/", "credentials do not belong into the URL"),
    ],
)
def test_a_webhook_that_cannot_be_called_is_refused_without_its_token(tmp_path: Path, url: str, said: str) -> None:
    alerts = '  alerts: {channels: {ops: {type: webhook, url: "URL", secret_env: SECRET}}}\n'
    with pytest.raises(DeclarationError) as refused:
        load(write(tmp_path, VALID + alerts.replace("URL", url, 1)))
    assert f"alerts.channels.ops.url: {said}" in str(refused.value)
    assert "token" not in str(refused.value)
    assert load(write(tmp_path, VALID + alerts.replace("URL", "https://example.org/x", 1))) is not None


@pytest.mark.parametrize(
    ("column", "value", "choices"),
    [
        ("dtype: category, allowed: [F, M]", "W", "'F', 'M'"),
        ("dtype: category, allowed: [F, M], missing: allowed", "W", "'F', 'M', '(missing)'"),
        ("dtype: integer, edges: [25, 45]", "25", "'[-inf, 25)', '[25, 45)', '[45, inf)'"),
        ("dtype: boolean", "True", "'false', 'true'"),
    ],
)
def test_a_group_that_no_row_can_be_in_is_refused(tmp_path: Path, column: str, value: str, choices: str) -> None:
    text = VALID.replace("role: sensitive, dtype: category", f"role: sensitive, {column}")
    rate = text.replace("demographic_parity_difference, sensitive: [sex]", "selection_rate, group: {sex: GROUP}")
    compared = text + "  analyses: {fairness: {reference: {sex: GROUP}}}\n"
    for declared, line in ((rate, 13), (compared, 14)):
        path = write(tmp_path, declared.replace("GROUP", f'"{value}"'))
        with pytest.raises(DeclarationError) as refused:
            load(path)
        assert f"{path}:{line}" in str(refused.value)
        assert f"'sex' has no group {value!r}; its groups are {choices}" in str(refused.value)
        first = choices.split("', '")[0].strip("'")
        assert load(write(tmp_path, declared.replace("GROUP", f'"{first}"'))) is not None


@pytest.mark.parametrize(
    ("definition", "coordinates", "said"),
    [
        ("mean_absolute_shap_value", "feature: age", "there is no feature 'age'; there are: 'income'"),
        ("precision", "class: maybe", "there is no class 'maybe'; there are: none"),
        ("missing_count", "column: age", "there is no column 'age'; there are: 'income', 'sex', 'repaid'"),
        (
            "selection_rate_conditional_difference",
            "stratifier: income",
            "there is no stratifier 'income'; there are: none",
        ),
    ],
)
def test_a_place_that_no_number_can_have_is_refused(
    tmp_path: Path, definition: str, coordinates: str, said: str
) -> None:
    text = VALID.replace("demographic_parity_difference", f"{definition}, coordinates: {{{coordinates}}}")
    path = write(tmp_path, text if "conditional" in definition else text.replace("sensitive: [sex], at", "at"))
    with pytest.raises(DeclarationError) as refused:
        load(path)
    assert f"{path}:13" in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("broken", "fix"),
    [
        (VALID.replace("owners:", "owner:"), "write `owners` for `owner`"),
        (VALID.replace("owners:", "people:"), "the keys there are name, title, description, owners, dataset"),
        (VALID.replace("dtype: number", "dtyp: number"), "write `dtype` for `dtyp`"),
        (VALID.replace("  name: loans\n", ""), "add `name`"),
        (VALID.replace("role: feature", "role: featur"), "write 'feature'"),
        (VALID.replace("at_most: 0.1", 'at_most: "0.1"'), "write `at_most` as a number without quotes"),
        (VALID.replace("sensitive: [sex], at", "sensitive: sex, at"), "write `sensitive` as a list, [...]"),
        (VALID.replace('text: "No gap"', "text: 5"), "put `text` in quotes"),
        (VALID.replace("{estimator: logistic_regression}", "logistic"), "write the keys of `model` below it"),
        (VALID.replace("dtype: number", "dtype: integer, positive: x"), "change `dataset.columns.income` there"),
    ],
)
def test_a_refusal_says_what_to_change(tmp_path: Path, broken: str, fix: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        load(write(tmp_path, broken))
    assert fix in refused.value.fix
    assert "literal[" not in str(refused.value)


def test_a_broken_file_leaves_the_others_alone_and_names_must_differ(tmp_path: Path) -> None:
    write(tmp_path, VALID)
    write(tmp_path, VALID, "twin")
    write(tmp_path, "type: [\n", "other")
    declared, broken = load_all(tmp_path)
    assert [item.use_case.name for item in declared] == ["loans"]
    assert [item.name for item in broken] == ["other", "twin"]
    assert "taken by" in str(broken[1].error)


def test_a_use_case_that_is_not_there_may_be_one_that_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAI_DEFS", str(tmp_path))
    monkeypatch.setenv("RAI_HOME", str(tmp_path / "home"))
    path = write(tmp_path, VALID.replace("owners:", "owner:"), "spring")
    with pytest.raises(DeclarationError) as refused:
        find("loans")
    assert str(refused.value) == (
        f"there is no use case 'loans' in {tmp_path}, but 1 declaration cannot be loaded:\n"
        f"  {path}:4: owner: is not known here\n  Fix: write `owners` for `owner`"
    )
    write(tmp_path, VALID.replace("name: loans", "name: cards"), "cards")
    with pytest.raises(DeclarationError, match="write `owners` for `owner`; did you mean cards?"):
        find("card")
    for other in "abc":
        write(tmp_path, "type: [\n", other)
    with pytest.raises(DeclarationError, match="but 4 declarations cannot be loaded:(?s:.*)and 1 more; `rai validate`"):
        find("loans")
    assert find("cards").use_case.name == "cards"


def test_a_declaration_in_python(tmp_path: Path) -> None:
    (tmp_path / "loans").mkdir()
    path = tmp_path / "loans" / "use_case.py"
    path.write_text(
        "from rai_assets.use_case.config import UseCase\n"
        "use_case = UseCase.model_validate({'name': 'loans', 'dataset': {'files': [{'path': 'x.csv'}], 'columns': {\n"
        "  'said': {'role': 'prediction', 'dtype': 'category', 'positive': 'yes'}}}})\n"
    )
    declared = load(path)
    assert declared is not None
    assert declared.use_case.model is None
    path.write_text(
        "from rai_assets.data.settings import ColumnSettings\n"
        "columns = {\n"
        "    'sex': ColumnSettings(role='sensitive', dtype='category'),\n"
        "    'age': ColumnSettings(role='sensitive', dtype='integer'),\n"
        "}\n"
    )
    with pytest.raises(DeclarationError, match=r"use_case.py:4: ColumnSettings: .* in `'age': ColumnSettings"):
        load(path)
    path.write_text(
        "from rai_assets.use_case.config import UseCase\n"
        "use_case = UseCase.model_validate({'name': 'loans', 'dataset': {'files': [{'path': 'x.csv'}], 'columns': {\n"
        "  'said': {'role': 'predicted', 'dtype': 'category', 'positive': 'yes'}}}})\n"
    )
    with pytest.raises(DeclarationError, match=r"use_case.py:2: dataset.columns.said.role: is 'predicted'") as refused:
        load(path)
    assert refused.value.fix == "write 'prediction'"
    path.write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(DeclarationError, match="use_case.py:2"):
        load(path)
    path.write_text("from rai_assets.metrics.definitions import definition\ndefinition('selection_rat')\n")
    with pytest.raises(DeclarationError, match="use_case.py:2: the file ends with UsageError: ") as refused:
        load(path)
    assert str(refused.value).count("Fix: ") == 1
    path.write_text("1 / 0\n")
    with pytest.raises(DeclarationError, match="use_case.py:1"):
        load(path)
