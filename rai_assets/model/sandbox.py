"""Our end of the worker's pipes: start it, ask it, end it when it takes too long."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rai_assets.charts.text import how_many
from rai_assets.errors import InputRefused
from rai_assets.model.worker import HEADER, write

_FASTER = "supply a model that answers faster: these limits hold for every batch of rows"
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "LANG": "C.UTF-8"}


@dataclass(frozen=True)
class Limits:
    """What a supplied model may take.

    Attributes:
        memory: Bytes beyond what the libraries take.
        seconds: Processor time for loading, and again for every batch.
        wall: Seconds that we wait for an answer.
    """

    memory: int = 2 << 30
    seconds: float = 60.0
    wall: float = 120.0


class Sandbox:
    """One supplied model in its worker process.

    Args:
        model: The ONNX file, structurally checked (`supplied.parse_model`).
        output: The output to read.
        limits: What it may take.

    Raises:
        InputRefused: The runtime cannot load the model, or it takes too much in loading.
    """

    def __init__(self, model: bytes, output: str, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._folder = tempfile.TemporaryDirectory(prefix="rai-model-")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-m", "rai_assets.model.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._folder.name,
            env=_ENVIRONMENT,
        )
        self._end = weakref.finalize(self, _end, self._process, self._folder)
        try:
            asked = {"memory": self._limits.memory, "seconds": self._limits.seconds, "output": output}
            # Limits and model in one exchange: the start of the process counts as loading.
            self.isolated = bool(json.loads(self._ask(b"L", json.dumps(asked).encode(), b"M", model))["isolated"])
        except BaseException:
            self.close()
            raise

    def scores(self, batch: pa.Table) -> NDArray[np.float64]:
        """The model's output for a batch, shape (n, k).

        Raises:
            InputRefused: The model failed, or took more than its limits.
        """
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_table(batch)
        answer = self._ask(b"B", sink.getvalue().to_pybytes())
        if len(answer) % (8 * batch.num_rows):
            raise InputRefused(
                f"the model answered {how_many(len(answer), 'byte')} for {how_many(batch.num_rows, 'row')}",
                fix="export it so that it answers one row of numbers for every row it is given",
            )
        return np.frombuffer(answer, "<f8").reshape(batch.num_rows, -1)

    def close(self) -> None:
        """End the process and remove its folder; also done when nobody holds the sandbox any more."""
        self._end()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, *frames: bytes) -> bytes:
        """Send (kind, payload) pairs, wait for one answer."""
        process, late = self._process, threading.Event()
        assert process.stdin is not None and process.stdout is not None  # noqa: S101

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._limits.wall, end)
        timer.start()
        try:
            for kind, payload in zip(frames[::2], frames[1::2], strict=True):
                write(process.stdin, kind, payload)
            header = process.stdout.read(HEADER.size)
            if len(header) == HEADER.size:
                kind, length = HEADER.unpack(header)
                payload = process.stdout.read(length)
                if len(payload) == length:
                    return self._answer(kind, payload)
        except BrokenPipeError:
            pass
        finally:
            timer.cancel()
        raise self._ended(late.is_set())

    def _answer(self, kind: bytes, payload: bytes) -> bytes:
        if kind != b"E":
            return payload
        told = json.loads(payload)
        if told["kind"] == "memory":
            raise self._too_much_memory()
        raise InputRefused(
            f"the runtime refuses the model: {told['message']}",
            fix="check the exported file, e.g. by running it on a few rows in onnxruntime",
        )

    def _ended(self, late: bool) -> InputRefused:
        """Why the process is gone."""
        import signal

        code = self._process.wait()
        if late:
            return InputRefused(f"the model did not answer within {self._limits.wall:g} s and was stopped", fix=_FASTER)
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            return InputRefused(
                f"the model exceeded {self._limits.seconds:g} s of processor time and was stopped", fix=_FASTER
            )
        if code in (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS):
            return self._too_much_memory()
        return InputRefused(
            f"the model took its process down (code {code})",
            fix="export it again with a current library; the runtime of this version cannot run it",
        )

    def _too_much_memory(self) -> InputRefused:
        return InputRefused(
            f"the model needs more than {self._limits.memory >> 20} MiB of memory for a batch of rows",
            fix="supply a model without such large intermediate results",
        )


def _end(process: subprocess.Popen[bytes], folder: tempfile.TemporaryDirectory[str]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
    process.wait()
    folder.cleanup()
