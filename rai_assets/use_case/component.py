"""The Dagster component: one `defs.yaml` is one use case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
from dagster.components import Component, ComponentLoadContext, Scaffolder, ScaffoldRequest, scaffold_with

from rai_assets.use_case.config import UseCase
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.graph import build


class UseCaseScaffolder(Scaffolder):
    """Writes a commented `defs.yaml` that loads as it stands, with a small table beside it."""

    def scaffold(self, request: ScaffoldRequest) -> None:
        """Write the template into the folder that `dg scaffold defs` was asked for."""
        from rai_assets.use_case.template import write_example

        write_example(Path(request.target_path))


@scaffold_with(UseCaseScaffolder)
class ResponsibleAIUseCase(Component):
    """A responsible-AI use case: dataset, model, audits and gate as an asset graph."""

    def __init__(self, use_case: UseCase) -> None:
        self.use_case = use_case

    @classmethod
    def get_model_cls(cls) -> type[UseCase]:
        """The strict schema of the attributes."""
        return UseCase

    @classmethod
    def load(cls, attributes: Any, context: ComponentLoadContext) -> ResponsibleAIUseCase:
        """Make the component from validated attributes."""
        return cls(attributes)

    def build_defs(self, context: ComponentLoadContext) -> dg.Definitions:
        """The asset graph of the use case."""
        return build(Declared(self.use_case, Path(context.path) / "defs.yaml"))
