"""Silences the warnings of the two unfinished Dagster features that the product uses on purpose.

Checks with partitions are a preview and code references a beta; both are used as they are and tested here, so a user
has nothing to do about them. Importing this module is enough.
"""

from __future__ import annotations

import warnings

from dagster import BetaWarning, PreviewWarning

warnings.filterwarnings("ignore", category=PreviewWarning)
warnings.filterwarnings("ignore", category=BetaWarning)
