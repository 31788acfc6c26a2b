"""Messaging services with hosts of their own, through apprise (extra `alerts`)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from rai_assets.errors import RaiError, UsageError

_EXTRA = "install it: pip install 'rai_assets[alerts]'"


def send(body: Mapping[str, Any], url: str, where: str) -> None:
    """Tell of an event through a service.

    Only services that are always at the same host: where the host stands in the URL, a webhook of ours is the way,
    whose address is checked.

    Args:
        body: The event as JSON value.
        url: apprise's URL with the service's token; never shown.
        where: The variable that it comes from.

    Raises:
        UsageError: apprise is not installed, or it is no URL of such a service.
        RaiError: The service did not take it.
    """
    try:
        import apprise
    except ImportError as fault:
        raise UsageError("messaging services need the package apprise", where=where, fix=_EXTRA) from fault
    plugin = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if plugin is None:
        raise UsageError("this is no URL of a service that apprise knows", where=where, fix="see apprise's list")
    templates: tuple[str, ...] = plugin.templates
    if any("{host" in template for template in templates) or not plugin.secure_protocol:
        raise UsageError(
            f"{plugin.service_name} is no service with an encrypted host of its own",
            where=where,
            fix="use a channel of type webhook or mail for hosts of your own",
        )
    text = "\n".join([str(body["text"]), *([str(body["link"])] if body["link"] else [])])
    sender = apprise.Apprise()
    sender.add(plugin)
    for name in ("apprise", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what they log of a call holds the token
    # Said to be plain text, so that a service that reads markup shows it as it is.
    if not sender.notify(body=text, title=str(body["title"]), body_format=apprise.NotifyFormat.TEXT):
        raise RaiError(f"{plugin.service_name} did not take it", where=where, fix="check the token and the network")
