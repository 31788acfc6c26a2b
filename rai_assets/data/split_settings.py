"""The declaration of a split: which rows are learned from, which calibrate, and which are kept for the audit."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from rai_assets.data.columns import Label, Strict

SplitName = Literal["train", "calibration", "test"]


class SplitSettings(Strict):
    """How rows are assigned to train, calibration and test.

    Attributes:
        by: `file` (each file names its split), `fraction` (at random, stratified by the target of a classification),
            `time` (cut points on the timestamp), `column` (values of a column).
        test: Share of the rows, for `fraction`.
        calibration: Share of the rows, for `fraction`.
        seed: Seed of the random assignment.
        column: The column looked at; for `time` the one with role timestamp when left out.
        calibration_from: First time (ISO, or a number for a numeric column) that belongs to calibration.
        test_from: First time that belongs to test.
        values: For `column`: {split: [values]}; every value of the column stands in one list.
    """

    by: Literal["file", "fraction", "time", "column"]
    test: Annotated[float, Field(gt=0, lt=1)] | None = None
    calibration: Annotated[float, Field(gt=0, lt=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    column: str | None = None
    calibration_from: str | int | float | None = None
    test_from: str | int | float | None = None
    values: dict[SplitName, list[Label]] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> SplitSettings:
        own = {
            "file": set(),
            "fraction": {"test", "calibration", "seed"},
            "time": {"column", "calibration_from", "test_from"},
            "column": {"column", "values"},
        }[self.by]
        stray = sorted(self.model_fields_set - own - {"by"})
        if stray:
            raise ValueError(f"`{stray[0]}` does not go with `by: {self.by}`")
        if self.by == "fraction":
            if self.test is None:
                raise ValueError("`by: fraction` needs `test`, the share of the rows to test on")
            if self.test + (self.calibration or 0.0) >= 1:
                raise ValueError("`test` and `calibration` leave no rows to train on")
        if self.by == "time" and self.test_from is None:
            raise ValueError("`by: time` needs `test_from`, the first time that belongs to test")
        if self.by == "column" and (self.column is None or not self.values):
            raise ValueError("`by: column` needs `column` and `values`")
        listed = [value for values in (self.values or {}).values() for value in values]
        if len(set(listed)) != len(listed):
            raise ValueError("`values` gives one value to two splits")
        return self
