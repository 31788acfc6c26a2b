"""The one place that imports `lakefs-client`: asking a server, once more where that helps, and moving bytes."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from rai_assets.store.errors import BackendUnavailable
from rai_assets.store.lakefs_errors import Operation, Unanswered, message_of, not_lakefs, refusal, silence
from rai_assets.store.lakefs_settings import LakeFSSettings

OLDEST = (1, 75)  # below it, signatures of S3 requests could be used again
PAGE = 1000  # the most that lakeFS lists at once
CHUNK = 1 << 20
_CONNECT_SECONDS = 10.0
_ATTEMPTS = 7
_LONGEST_PAUSE = 3.0  # seconds
_CONNECTIONS = 32
_chance = random.SystemRandom()


class Connection:
    """A lakeFS server, for the threads of one process.

    Args:
        settings: Where it is and who asks.
    """

    def __init__(self, settings: LakeFSSettings) -> None:
        import lakefs_client
        import urllib3
        from lakefs_client import models
        from lakefs_client.client import LakeFSClient

        configuration = lakefs_client.Configuration(
            host=f"{settings.endpoint}/api/v1",
            username=settings.access_key_id,
            password=settings.secret_access_key,
            ssl_ca_cert=str(settings.ca_file) if settings.ca_file else None,
        )
        # Whether to ask again is decided here, where it is known what was asked.
        configuration.retries = urllib3.Retry(0)
        configuration.connection_pool_maxsize = _CONNECTIONS
        self.settings = settings
        self.models = models
        self.api = LakeFSClient(configuration)
        self._timeout = (_CONNECT_SECONDS, settings.timeout)
        self._http = self.api.repositories_api.api_client.rest_client.pool_manager
        self._headers = {"Authorization": configuration.get_basic_auth_token()}
        self._urllib3 = urllib3
        self._client = lakefs_client

    def __repr__(self) -> str:
        return f"Connection({self.settings.endpoint!r})"

    def ask(
        self,
        method: Callable[..., Any],
        *words: Any,
        subject: str,
        operation: Operation = "read",
        again: bool = True,
        **more: Any,
    ) -> Any:
        """Call a method of `api`, with patience.

        Args:
            method: The method.
            words: What it is given; the repository first.
            subject: What the question is about, for errors: `branch 'main'`.
            operation: For errors.
            again: False if the question may not be sent again after it was sent in vain.
            more: Given to the method.

        Raises:
            RaiError: The server refuses, or cannot be reached.
        """
        where = (
            f"{self.settings.endpoint}/{words[0]}" if words and isinstance(words[0], str) else self.settings.endpoint
        )

        def attempt() -> Any:
            try:
                return method(*words, _request_timeout=self._timeout, **more)
            except self._client.ApiException as fault:
                raise refusal(
                    operation, fault.status or 0, message_of(fault.body), subject=subject, where=where
                ) from fault
            except self._client.ApiTypeError as fault:
                raise not_lakefs(self.settings.endpoint) from fault
            except self._urllib3.exceptions.HTTPError as fault:
                raise silence(fault, self.settings.endpoint) from fault

        return patiently(attempt, again=again)

    def pages(
        self, method: Callable[..., Any], *words: Any, subject: str, page: int = PAGE, **more: Any
    ) -> Iterator[Any]:
        """The items of a list that comes in pages of so many."""
        after = ""
        while True:
            found = self.ask(method, *words, subject=subject, after=after, amount=page, **more)
            yield from found.results
            if not found.pagination.has_more:
                return
            after = found.pagination.next_offset

    def upload(
        self,
        repository: str,
        branch: str,
        path: str,
        body: bytes | Iterable[bytes],
        content_type: str,
        metadata: Mapping[str, str],
    ) -> str:
        """Send an object's bytes as they come, once, and return the MD5 (hex) of what arrived.

        Args:
            repository: Name of the repository.
            branch: Where it is staged.
            path: The object.
            body: The bytes, whole or in pieces.
            content_type: Media type.
            metadata: ASCII keys in lower case, and ASCII values.

        Raises:
            RaiError: The server refuses, or cannot be reached.
        """
        place = f"{self.settings.endpoint}/api/v1/repositories/{quote(repository)}/branches/{quote(branch)}/objects"
        words = {f"x-lakefs-meta-{key}": value for key, value in metadata.items()}
        try:
            answer = self._http.request(
                "POST",
                f"{place}?path={quote(path, safe='')}",
                body=body,
                headers={**self._headers, **words, "Content-Type": content_type},
                timeout=self._urllib3.Timeout(connect=_CONNECT_SECONDS, read=self.settings.timeout),
            )
        except self._urllib3.exceptions.HTTPError as fault:
            raise silence(fault, self.settings.endpoint) from fault
        if answer.status != 201:
            where = f"{self.settings.endpoint}/{repository}"
            raise refusal("upload", answer.status, message_of(answer.data), subject=f"object {path!r}", where=where)
        return str(answer.json()["checksum"])

    def download(self, repository: str, commit: str, path: str, take: Callable[[bytes], object]) -> None:
        """Give an object's bytes to `take` as they come.

        Raises:
            NotFound: There is no such object.
            RaiError: The server refuses, or cannot be reached; part of the bytes may have been given.
        """
        answer = self.ask(
            self.api.objects_api.get_object,
            repository,
            commit,
            path,
            subject=f"object {path!r}",
            _preload_content=False,
        )
        try:
            for chunk in answer.stream(CHUNK):
                take(chunk)
        except self._urllib3.exceptions.HTTPError as fault:
            raise silence(fault, self.settings.endpoint) from fault
        finally:
            answer.release_conn()

    def version(self) -> str:
        """The server's version; the first question to a server, so that it finds what is wrong with the settings.

        Raises:
            BackendUnavailable: It is too old, does not know the credentials, cannot be reached or is not lakeFS.
        """
        answer = self.ask(self.api.config_api.get_config, subject="lakeFS here")
        version = str((answer.get("version_config") or {}).get("version") or "unknown")
        numbers = re.match(r"v?(\d+)\.(\d+)", version)
        # A development build calls itself otherwise, and is taken as new.
        if numbers and (int(numbers[1]), int(numbers[2])) < OLDEST:
            wanted = ".".join(map(str, OLDEST))
            raise BackendUnavailable(
                f"this lakeFS server is too old: {version}",
                where=self.settings.endpoint,
                fix=f"use {wanted} or newer; 1.86 is the last one under Apache-2.0",
            )
        return version


def connect(settings: LakeFSSettings) -> Connection:
    """The process's connection to a server; a child that was forked off gets its own."""
    return _connection(settings, os.getpid())


@lru_cache
def _connection(settings: LakeFSSettings, process: int) -> Connection:
    connection = Connection(settings)
    connection.version()
    return connection


def patiently(attempt: Callable[[], Any], *, again: bool = True) -> Any:
    """What `attempt` returns; faults that pass are waited for, ever longer, some seconds in all.

    Args:
        attempt: What to do.
        again: False if it may not be done again when it may have been done.

    Raises:
        RaiError: What `attempt` raised last.
    """
    for number in range(_ATTEMPTS):
        try:
            return attempt()
        except BackendUnavailable as fault:
            final = number == _ATTEMPTS - 1 or (isinstance(fault, Unanswered) and not again)
            if final or not fault.retryable:
                raise
        pause(number)
    raise AssertionError("the last attempt returns or raises")


def pause(number: int) -> None:
    """Wait after the attempt of this number, from 0: longer each time, and never quite as long as another does."""
    time.sleep(min(0.1 * 2**number, _LONGEST_PAUSE) * _chance.uniform(0.5, 1.0))
