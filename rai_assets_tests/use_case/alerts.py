"""A use case that tells people, and the sensor `alerts` as the daemon asks it."""

from __future__ import annotations

import dagster as dg

from rai_assets.home import prepare
from rai_assets.use_case.declaration import Declared
from rai_assets.use_case.graph import LAKE, build, location_definitions

# Logged decisions, so that nothing is trained.
LOGGED = """\
type: rai_assets.use_case.component.ResponsibleAIUseCase
attributes:
  name: loans
  dataset:
    files: [{{path: logged.csv}}]
    columns:
      income: {{role: context, dtype: number, minimum: 0}}
      repaid: {{role: target, dtype: category, allowed: ["no", "yes"], positive: "yes"}}
      decided: {{role: prediction, dtype: category, allowed: ["no", "yes"]}}
  requirements:
    - {{id: R3, text: Never wrong, definition: accuracy, at_least: 0.999}}
  alerts:
    channels:
      ops: {{type: webhook, url: "{url}", secret_env: RAI_OPS_SECRET}}
    rules:
      - {{when: check_failed, severity: error, to: [ops]}}
      - {{when: run_failed, to: [ops]}}
      - {{when: not_fresh, to: [ops]}}
      - {{when: metric_crossed, asset: evaluation, definition: accuracy, at_least: 0.99, to: [ops]}}
      - {{when: metric_crossed, asset: evaluation, definition: accuracy, at_least: 0.1, to: [ops]}}
"""

ROWS = "income,repaid,decided\n" + "50,yes,yes\n" * 80 + "40,no,yes\n" * 20


def tick(declared: Declared) -> str:
    """What the daemon does twice a minute; returns what the sensor says."""
    definitions = dg.Definitions.merge(location_definitions([declared]), build(declared))
    sensor = definitions.get_repository_def().get_sensor_def("alerts")
    with (
        dg.DagsterInstance.get() as instance,
        dg.build_sensor_context(instance, resources={"lake": LAKE}) as context,
    ):
        answer = sensor(context)
    assert isinstance(answer, dg.SkipReason)
    return str(answer.skip_message)


def begin(declared: Declared) -> None:
    """A first look, from which on what happens is told."""
    prepare()
    tick(declared)
