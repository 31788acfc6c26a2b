"""Silences the warnings of the two unfinished Dagster features that the product uses on purpose.

Checks with partitions are a preview and code references a beta; both are used as they are and tested here, so a user
has nothing to do about them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from dagster import BetaWarning, PreviewWarning


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, what Dagster says of its unfinished features is not shown; every other warning is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PreviewWarning)
        warnings.simplefilter("ignore", BetaWarning)
        yield
