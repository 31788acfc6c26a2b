"""One session for everybody: our own exports in process, supplied files in the worker, both checked."""

from __future__ import annotations

import gc
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper

from rai_assets.errors import InputRefused
from rai_assets.model.encoding import Feature
from rai_assets.model.graph import core_of, facts_of
from rai_assets.model.predictions import predict, scores_of
from rai_assets.model.sandbox import Limits
from rai_assets.model.scoring import ScoringSession
from rai_assets.model.version import ModelVersion
from rai_assets_tests.model import supplied_models as supplied
from rai_assets_tests.model.people import population

FEATURES = (Feature("age", "number"), Feature("income", "number"))
ROWS = pa.table({"age": [1, 2, 3], "income": [0.5, None, -4.0]})


def version(model: onnx.ModelProto, **changed: object) -> ModelVersion:
    facts: dict = {
        "onnx": model.SerializeToString(),
        "task": "binary",
        "classes": ("no", "yes"),
        "threshold": 0.5,
        "features": FEATURES,
        "encoding": None,
        "output": "probabilities",
        "output_classes": ("no", "yes"),
        "estimator": "model.onnx",
        "parameters": {},
        "seed": 0,
        "libraries": {},
        "commit": None,
        "training": {},
        "parity": None,
    }
    return ModelVersion(**facts | changed)


@pytest.fixture
def open_sessions() -> Iterator[list[ScoringSession]]:
    sessions: list[ScoringSession] = []
    yield sessions
    for session in sessions:
        session.close()


def test_batches_change_nothing(boosted: ModelVersion) -> None:
    table = population(3000, seed=4)
    with ScoringSession(boosted) as session:
        whole = session.scores(table)
        said: list[tuple[int, int]] = []
        pieces = pa.concat_tables([table.slice(start, 700) for start in range(0, 3000, 700)])
        np.testing.assert_array_equal(
            session.scores(pieces, lambda what, done, total: said.append((done, total))), whole
        )
        assert said == [(3000, 3000)]
        np.testing.assert_array_equal(session.scores(table.slice(17, 1)), whole[17:18])
        assert session.encoding is not None
        np.testing.assert_array_equal(session.core_scores(session.encoding.matrix(table)), whole)
        assert session.scores(table.slice(0, 0)).shape == (0, 2)
        np.testing.assert_array_equal(session.decisions(whole), whole[:, 1] >= 0.5)
        assert session.linear is None
        assert session.features == ("age", "income", "job", "insured", "region")


def test_the_core_can_be_cut_out(boosted: ModelVersion) -> None:
    model = onnx.load_model_from_string(boosted.onnx)
    core = core_of(model)
    onnx.checker.check_model(core)
    onnx.checker.check_model(model)
    tree = next(node for node in core.graph.node if node.op_type == "TreeEnsembleClassifier")
    assert tree.input[0] == core.graph.input[0].name == facts_of(model)["matrix"]
    assert [item.name for item in core.graph.output] == ["probabilities"]
    with pytest.raises(ValueError, match="not exported by rai_assets"):
        core_of(supplied.logistic())


def test_predictions_are_kept_as_a_table(boosted: ModelVersion) -> None:
    table = population(200, seed=6)
    with ScoringSession(boosted) as session:
        scores = session.scores(table)
        kept = predict(session, table.to_batches(70), 200)
        assert kept.schema == pa.schema([("score", pa.float64()), ("decision", pa.int8())])
        np.testing.assert_allclose(scores_of(kept), scores, atol=1e-7)
        np.testing.assert_array_equal(kept["decision"], session.decisions(scores))
        with pytest.raises(InputRefused, match="needs the columns region"):
            session.scores(table.drop_columns("region"))


def test_a_stored_export_that_was_tampered_with_is_not_run(boosted: ModelVersion) -> None:
    model = onnx.load_model_from_string(boosted.onnx)
    model.graph.initializer.append(supplied.external("/etc/passwd").graph.initializer[0])
    with pytest.raises(InputRefused, match="in another file"):
        ScoringSession(replace(boosted, onnx=model.SerializeToString()))


def test_a_supplied_model_is_scored_in_the_worker() -> None:
    model = supplied.logistic(0.1)
    model.graph.node[0].input[1] = "known"
    model.graph.node.insert(0, helper.make_node("Where", ["absent", "ten", "income"], ["known"]))
    model.graph.node.insert(0, helper.make_node("IsNaN", ["income"], ["absent"]))
    model.graph.initializer.append(supplied.constant("ten", 10.0))
    z = 0.1 * np.array([1.5, 12.0, -1.0])
    yes = 1 / (1 + np.exp(-z))
    with ScoringSession(version(model)) as session:
        np.testing.assert_allclose(session.scores(ROWS), np.column_stack([1 - yes, yes]), atol=1e-7)
        many = pa.table({"age": np.arange(150_000) % 90, "income": np.zeros(150_000)})
        assert session.scores(many).shape == (150_000, 2)
        assert session.encoding is None
        assert session.core_model is None
        assert session.linear is None
    with ScoringSession(version(model, output_classes=("yes", "no"))) as session:
        np.testing.assert_allclose(session.scores(ROWS)[:, 0], yes, atol=1e-7)


def test_every_kind_of_input() -> None:
    """Strings with "" for missing, booleans, whole numbers, doubles, vectors: each as the model declares it."""
    nodes = [
        helper.make_node(
            "LabelEncoder", ["job"], ["j"], domain="ai.onnx.ml", keys_strings=["", "cook"], values_floats=[7.0, 1.0]
        ),
        helper.make_node("Cast", ["old"], ["o"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["count"], ["c"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["price"], ["p"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["o", "axis"], ["o2"]),
        helper.make_node("Sum", ["j", "o2", "c", "p"], ["prediction"]),
    ]
    inputs = [
        supplied.value("job", supplied.STRING),
        supplied.value("old", TensorProto.BOOL, (None,)),
        supplied.value("count", supplied.INT64),
        supplied.value("price", TensorProto.DOUBLE),
    ]
    model = supplied.model(
        nodes,
        inputs,
        [supplied.value("prediction")],
        [supplied.constant("axis", [1], np.int64)],
        {"": 18, "ai.onnx.ml": 3},
    )
    features = (
        Feature("job", "category"),
        Feature("old", "boolean"),
        Feature("count", "number"),
        Feature("price", "number"),
    )
    regression = version(
        model, task="regression", classes=(), output_classes=(), threshold=None, features=features, output="prediction"
    )
    table = pa.table(
        {
            "job": ["cook", None, "pilot"],
            "old": [True, False, True],
            "count": [100, 200, 300],
            "price": [0.5, 0.25, 0.0],
        }
    )
    with ScoringSession(regression) as session:
        np.testing.assert_allclose(session.scores(table), [102.5, 207.25, 301.0])
        assert session.decisions(np.zeros(3)) is None
        assert predict(session, table.to_batches(), 3).column_names == ["score"]
        with pytest.raises(InputRefused, match="'count' takes int64, and values are missing in 1 of the rows"):
            session.scores(table.set_column(2, "count", pa.array([100, None, 300])))
        with pytest.raises(InputRefused, match="was truncated"):
            session.scores(table.set_column(2, "count", pa.array([100, 1.5, 300])))


def answers(*columns: str) -> onnx.ModelProto:
    """A model whose output columns are `age` and `income` themselves, or functions of them."""
    steps = [helper.make_node("Neg", ["age"], ["minus"]), helper.make_node("Reciprocal", ["income"], ["inverse"])]
    return supplied.with_output([*steps, helper.make_node("Concat", list(columns), ["probabilities"], axis=1)])


def test_what_is_no_probability(open_sessions: list[ScoringSession]) -> None:
    def refusal(model: onnx.ModelProto, table: pa.Table) -> str:
        open_sessions.append(ScoringSession(version(model)))
        with pytest.raises(InputRefused) as caught:
            open_sessions[-1].scores(table)
        return caught.value.what

    logits = pa.table({"age": [-2.0, 0.5, 0.3], "income": [2.0, 0.5, 0.3]})
    assert "in 1 of 3 rows a value is outside [0, 1], 2 do not sum to 1" in refusal(answers("age", "income"), logits)
    assert "has 3 columns and the target has 2 classes" in refusal(answers("age", "income", "age"), logits)
    zeros = pa.table({"age": [0.5, 0.5, 0.5], "income": [2.0, 0.0, None]})
    assert "answers NaN or infinity on 2 of 3 rows; the first is row 2 of them" in refusal(
        answers("age", "inverse"), zeros
    )


SMALL = Limits(memory=512 << 20, seconds=1, wall=20)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (supplied.endless_loop, "exceeded 1 s of processor time and was stopped"),
        (supplied.doubling, "needs more than 512 MiB of memory"),
        (supplied.huge_constant, "needs more than 512 MiB of memory"),
    ],
)
def test_a_model_that_takes_too_much(model: Callable[[], onnx.ModelProto], message: str) -> None:
    with pytest.raises(InputRefused, match=message), ScoringSession(version(model()), SMALL) as session:
        session.scores(ROWS)


def test_a_model_that_takes_too_long() -> None:
    limits = Limits(seconds=60, wall=1.5)
    late = pytest.raises(InputRefused, match="did not answer within 1.5 s and was stopped")
    with late, ScoringSession(version(supplied.endless_loop()), limits) as session:
        session.scores(ROWS)


def test_a_forgotten_session_ends_its_worker() -> None:
    session = ScoringSession(version(supplied.logistic()))
    assert session._sandbox is not None
    process = session._sandbox._process
    assert process.poll() is None
    del session
    gc.collect()
    assert process.poll() is not None


def test_a_stored_supplied_file_is_looked_at_again() -> None:
    with pytest.raises(InputRefused, match="in another file"):
        ScoringSession(version(supplied.external("/etc/passwd")))


def test_the_worker_has_no_network() -> None:
    """A connection to a listener on this machine succeeds before the worker leaves the network, and fails after."""
    program = (
        "import socket, sys\n"
        "from rai_assets.model.worker import leave_network\n"
        "socket.create_connection(('127.0.0.1', int(sys.argv[1]))).close()\n"
        "if not leave_network():\n"
        "    sys.exit(77)\n"
        "try:\n"
        "    socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
        "except OSError:\n"
        "    sys.exit(0)\n"
        "sys.exit(1)\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = subprocess.run([sys.executable, "-I", "-c", program, port], timeout=60, check=False)
    if done.returncode == 77:
        pytest.skip("this system lets no process leave its network")
    assert done.returncode == 0


def test_a_model_that_the_runtime_cannot_load() -> None:
    model = supplied.logistic()
    model.graph.node[1].op_type = "NoSuchOperator"
    with pytest.raises(InputRefused, match="the runtime refuses the model: .*NoSuchOperator"):
        ScoringSession(version(model))
    newer = supplied.logistic()
    newer.ir_version = onnx.IR_VERSION
    newer.opset_import[0].version = onnx.defs.onnx_opset_version()
    with pytest.raises(InputRefused, match="(?i)the runtime refuses the model: .*(opset|IR version)"):
        ScoringSession(version(newer))
