"""Attributions of a model's score to its source columns, by the best method the model allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rai_assets.analysis.explanation.settings import Perturbation
from rai_assets.errors import RaiError, Undefined
from rai_assets.model.links import softmax
from rai_assets.model.tell import Tell, silent

if TYPE_CHECKING:
    import onnx

_LINK_TOLERANCE = 1e-4  # of the scores' range: what a score may lie off the link of its sum
_ADDITIVITY_TOLERANCE = 1e-5  # of the output's range, beyond what the model's own float32 sums lose
_DOUBLE_ROUNDING = 1e-12
_BLOCK = 65_536
_NOT_EXACT = "report this model: its form is one that the exact method does not cover"
_NOT_STEADY = "let the model answer a row alike whenever it is asked: equal rows got different answers"


@dataclass(frozen=True)
class Attributions:
    """How much each player moves the explained output of each row.

    Attributes:
        values: float64 (K, n, p), one array per explained output: K = 1 for two classes and for a regression, else
            one per class.
        base: float64 (K,), the output when no player is known.
        output: float64 (K, n), the explained output as the ONNX runtime gives it.
        method: Name of the method, for people.
        unit: `log-odds`, `rate` (a probability) or `target`.
        standard_error: float64 (K, n, p), standard error of every value through sampling; None where exact.
        notes: What a reader must know of the method.
    """

    values: NDArray[np.float64]
    base: NDArray[np.float64]
    output: NDArray[np.float64]
    method: str
    unit: str
    standard_error: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()

    @property
    def span(self) -> NDArray[np.float64]:
        """Range of the output over the rows, (K,)."""
        return np.ptp(self.output, axis=1)

    @property
    def residual(self) -> NDArray[np.float64]:
        """The largest |base + sum of the values - output| of a row, (K,)."""
        return self._distance().max(axis=1, initial=0.0)

    def checked(self, rounding: float = 0.0) -> Attributions:
        """The attributions, if those of every row add up to its output.

        Args:
            rounding: What the model's own arithmetic may have lost.

        Raises:
            RaiError: They do not: the explanation would be one of another function.
        """
        rounding += _DOUBLE_ROUNDING * float(np.abs(self.output).max(initial=1.0))
        if not (self.residual <= _ADDITIVITY_TOLERANCE * self.span + rounding).all():
            distance = self._distance().max(axis=0)
            row = int(distance.argmax())
            raise RaiError(
                f"the attributions of row {row + 1} miss its output by {distance[row]:.2g}; "
                f"the output's range is {self.span.max():.2g}",
                fix=_NOT_EXACT if self.standard_error is None else _NOT_STEADY,
            )
        return self

    def _distance(self) -> NDArray[np.float64]:
        return np.abs(self.base[:, None] + self.values.sum(axis=2) - self.output)


def explain_trees(
    core: onnx.ModelProto,
    matrix: NDArray[np.float32],
    background: NDArray[np.float32],
    players: NDArray[np.int32],
    n_players: int,
    scores: NDArray[np.float64],
    *,
    perturbation: Perturbation = "interventional",
    progress: Tell = silent,
) -> Attributions:
    """Exact Shapley values of a core that is one tree ensemble.

    Args:
        core: The ONNX core, matrix -> scores.
        matrix: float32 (n, m), the explained rows.
        background: float32 (b, m), rows that stand for absent players, or from which covers are counted.
        players: int (m,), the player of every core column.
        n_players: p, number of players.
        scores: What the core answers for `matrix`, (n, k) or (n,).
        perturbation: How absent players behave.
        progress: Told how many rows are through.

    Raises:
        Undefined: The core is not one tree ensemble that has an exact value here.
        RaiError: The values do not add up to the core's output.
    """
    from rai_assets.analysis.explanation.margin import tree_margins
    from rai_assets.analysis.explanation.trees import tree_values
    from rai_assets.model.ensemble import read_ensemble, tree_node

    node = tree_node(core)
    ensemble = read_ensemble(node)
    output = tree_margins(core, node, ensemble, matrix)
    _check_link(output, scores, ensemble.link, ensemble.rounding)
    values, base = tree_values(
        ensemble, matrix, background, players, n_players, perturbation=perturbation, progress=progress
    )
    how = "against background rows" if perturbation == "interventional" else "along the trees' branches"
    return Attributions(
        values, base, output, f"exact Shapley values of the tree ensemble, {how}", _unit(ensemble.link, scores)
    ).checked(ensemble.rounding)


def explain_linear(
    core: onnx.ModelProto,
    matrix: NDArray[np.float32],
    background: NDArray[np.float32],
    players: NDArray[np.int32],
    n_players: int,
    scores: NDArray[np.float64],
) -> Attributions:
    """Closed form of a linear core: coefficient times distance from the background's mean, summed per player.

    Arguments as in `explain_trees`. Source: Štrumbelj & Kononenko, JMLR 11 (2010), for independent columns.

    Raises:
        Undefined: The scores are not the linear part's, or the core is not linear.
        RaiError: The values do not add up to the core's output.
    """
    from rai_assets.model.linear import linear_core

    classes = scores.shape[1] if scores.ndim == 2 else 0
    linear = linear_core(core, classes)
    link = {"logistic": "LOGISTIC", "softmax": "SOFTMAX", "identity": "NONE"}[linear.link]
    mean = background.mean(axis=0, dtype=np.float64)
    belongs = (np.asarray(players)[:, None] == np.arange(n_players)).astype(np.float64)
    values = np.empty((linear.coefficients.shape[1], len(matrix), n_players))
    output = np.empty(values.shape[:2])
    for start in range(0, len(matrix), _BLOCK):
        part = slice(start, start + _BLOCK)
        rows = matrix[part].astype(np.float64)
        output[:, part] = (rows @ linear.coefficients + linear.intercept).T
        for k, coefficients in enumerate(linear.coefficients.T):
            values[k, part] = (rows - mean) @ (coefficients[:, None] * belongs)
    _check_link(output, scores, link, _DOUBLE_ROUNDING * float(np.abs(output).max(initial=1.0)))
    base = mean @ linear.coefficients + linear.intercept
    return Attributions(values, base, output, "closed form of the linear model", _unit(link, scores)).checked()


def _check_link(output: NDArray[np.float64], scores: NDArray[np.float64], link: str, rounding: float) -> None:
    """Make sure that the model's answer is a known function of what is explained, (K, n).

    Args:
        output: What is explained.
        scores: The model's answer: probabilities (n, k), or values (n,).
        link: LOGISTIC, SOFTMAX or NONE.
        rounding: What the model's own arithmetic may have lost.

    Raises:
        Undefined: It is not: something else is computed after the trees.
    """
    from scipy.special import expit

    said = scores[:, 1] if scores.ndim == 2 and scores.shape[1] == 2 else scores
    linked = output[0] if len(output) == 1 else output.T
    if link == "LOGISTIC":
        linked = expit(linked)
    elif link == "SOFTMAX" and len(output) > 1:
        linked = softmax(output.T)
    allowed = _LINK_TOLERANCE * (1.0 if scores.ndim == 2 else float(np.ptp(scores))) + rounding
    if said.shape != linked.shape or not float(np.abs(said - linked).max(initial=0.0)) <= allowed:
        raise Undefined("the model's answer is not a known function of its tree ensemble or linear part alone")


def _unit(link: str, scores: NDArray[np.float64]) -> str:
    if scores.ndim == 1:
        return "target"
    return "rate" if link == "NONE" else "log-odds"
