"""The process that runs a supplied model: `python -m rai_assets.model.worker`, limits and frames on its pipes.

Frames both ways: one byte of kind, eight bytes of length (little endian), then the payload.

    in   `L` limits (JSON, first)   `M` the model's bytes, once   `B` one batch of rows as an Arrow IPC stream
    out  `R` ready (JSON: isolated from the network)   `S` scores, float64, row by row   `E` error (JSON: kind, message)

No file is read after start-up: the model comes through the pipe, the environment is empty, the network is another
namespace where the system allows it, nothing can be written, and memory and processor time end at their limits.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import struct
import sys
from pathlib import Path
from typing import IO, Any

HEADER = struct.Struct("<cQ")
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000


def main() -> None:
    """Serve frames until the pipe closes."""
    inputs, outputs = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not land among the frames
    # Before any import starts a thread: a process with threads cannot leave its namespaces.
    isolated = leave_network()
    first = _read(inputs)
    if first is None:
        return
    limits = json.loads(first[1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import numpy  # noqa: F401  libraries first, so that the limit on memory is the model's
    import onnxruntime  # noqa: F401
    import pyarrow  # noqa: F401

    total = _address_space() + limits["memory"]
    resource.setrlimit(resource.RLIMIT_AS, (total, total))
    _serve(inputs, outputs, limits, isolated)


def _serve(inputs: IO[bytes], outputs: IO[bytes], limits: dict[str, Any], isolated: bool) -> None:
    from rai_assets.model.runtime import open_session

    model: Any = None
    while frame := _read(inputs):
        kind, payload = frame
        _allow_seconds(limits["seconds"])
        try:
            if kind == b"M":
                model = _Model(open_session(payload, quiet=True), limits["output"])
                write(outputs, b"R", json.dumps({"isolated": isolated}).encode())
            else:
                write(outputs, b"S", model.scores(payload))
        except MemoryError:
            _say(outputs, "memory", "")
        except Exception as error:  # whatever a hostile model makes the runtime raise is told, not a crash
            message = str(error).strip().replace("\n", " ")[:500]
            _say(outputs, "memory" if _is_memory(message) else "runtime", message)


class _Model:
    def __init__(self, session: Any, output: str) -> None:
        self.session = session
        self.output = output

    def scores(self, payload: bytes) -> bytes:
        """One batch in, the declared output out: float64, row by row."""
        import numpy as np
        import pyarrow as pa

        with pa.ipc.open_stream(payload) as stream:
            table = stream.read_all()
        feeds = {item.name: _tensor(table.column(item.name), item) for item in self.session.get_inputs()}
        values = self.session.run([self.output], feeds)[0]
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
            raise TypeError(f"the output {self.output!r} is not a matrix of numbers")
        if values.ndim not in (1, 2) or len(values) != table.num_rows:
            raise ValueError(
                f"the output {self.output!r} has the shape {values.shape}; rows asked about: {table.num_rows}"
            )
        return np.ascontiguousarray(values, "<f8").tobytes()


def _tensor(column: Any, wanted: Any) -> Any:
    """One column as the tensor that the model declares; lists of numbers are rows of a tensor of more dimensions.

    Raises:
        ValueError: An integer input meets a missing value or a fraction.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from rai_assets.model.columns import numbers_of, strings_of

    column = column.combine_chunks()
    if pa.types.is_fixed_size_list(column.type):
        return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), *wanted.shape[1:])
    floats = {"float": pa.float32(), "double": pa.float64()}
    exact = {"int64": pa.int64(), "int32": pa.int32(), "bool": pa.bool_()}
    kind = wanted.type.removeprefix("tensor(").removesuffix(")")
    if kind == "string":
        values = strings_of(column)
    elif kind in floats:
        values = numbers_of(column, floats[kind])
    elif column.null_count:
        raise ValueError(
            f"the input {wanted.name!r} takes {kind}, and values are missing in {column.null_count} of the rows"
        )
    else:
        values = pc.cast(column, exact[kind]).to_numpy(zero_copy_only=False)
    return values if len(wanted.shape) == 1 else values.reshape(-1, 1)


def _allow_seconds(seconds: float) -> None:
    """Processor time for the next frame; over it, the kernel ends the process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime + seconds) + 1, hard))


def leave_network() -> bool:
    """Move into an empty network namespace; False where the system has none, or does not let us."""
    unshare = getattr(ctypes.CDLL(None, use_errno=True), "unshare", None)
    return unshare is not None and (unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0 or unshare(_CLONE_NEWNET) == 0)


def _address_space() -> int:
    """Bytes of address space in use; 0 where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[0]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize()


def _is_memory(message: str) -> bool:
    return "bad_alloc" in message or "Failed to allocate memory" in message


def _read(stream: IO[bytes]) -> tuple[bytes, bytes] | None:
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    kind, length = HEADER.unpack(header)
    return kind, stream.read(length)


def write(stream: IO[bytes], kind: bytes, payload: bytes) -> None:
    """Write one frame: `kind`, one byte, the length of the payload, and the payload."""
    stream.write(HEADER.pack(kind, len(payload)) + payload)
    stream.flush()


def _say(stream: IO[bytes], kind: str, message: str) -> None:
    write(stream, b"E", json.dumps({"kind": kind, "message": message}).encode())


if __name__ == "__main__":
    main()
