"""The process that decodes a Parquet file: `python parquet_decoder.py PATH ROWS MEMORY BATCH_BYTES`.

Record batches go to its output as an Arrow IPC stream, the reason of a failure to its error output. A page is
decompressed as a whole, and an encoding can repeat a long value for nothing, so that neither the size of a file nor
what it says of itself bounds what a batch takes; the limit on this process does. It imports nothing of the package.
"""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

TOO_MUCH = 3  # exit code: the limit was reached
UNREADABLE = 4  # exit code: no readable Parquet; the reason is on the error output
_BUFFERS = 256 << 20  # bytes read ahead, of all columns together


def main() -> None:
    """Decode the file that the arguments name."""
    path, rows, memory, batch_bytes = sys.argv[1], *map(int, sys.argv[2:])
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not land among the batches
    import pyarrow as pa
    from pyarrow import ipc, parquet

    limit = _address_space() + memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(BrokenPipeError):
        try:
            coded, ahead = _coded(parquet.read_metadata(path))
            with parquet.ParquetFile(path, read_dictionary=coded, pre_buffer=False, buffer_size=ahead) as file:
                known = file.schema_arrow.with_metadata({"rows": str(file.metadata.num_rows)})
                with ipc.new_stream(output, known) as stream:
                    output.flush()
                    for batch in file.iter_batches(batch_size=rows, use_threads=False):
                        if batch.nbytes > batch_bytes:
                            sys.exit(TOO_MUCH)
                        stream.write_batch(batch)
                        output.flush()
        except (MemoryError, pa.ArrowMemoryError):
            os._exit(TOO_MUCH)  # without the clean-up that would need memory again
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            sys.stderr.write(str(error))
            sys.exit(UNREADABLE)


def _coded(metadata: Any) -> tuple[list[str], int]:
    """The string columns that Arrow can read as dictionary codes, and the bytes to read ahead of each column."""
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    deltas = {
        column.path_in_schema
        for group in groups
        for column in map(group.column, range(group.num_columns))
        if any(name.startswith("DELTA") for name in column.encodings)
    }
    texts = [field.name for field in metadata.schema.to_arrow_schema() if is_text(field.type)]
    ahead = max(_BUFFERS // max(metadata.num_columns, 1), 1 << 14)
    return [name for name in texts if name not in deltas], min(ahead, 1 << 20)


def is_text(kind: object) -> bool:
    """Whether the values of an Arrow type are texts, or bytes that may be texts."""
    from pyarrow import types

    return any(
        ask(kind)
        for ask in (
            types.is_string,
            types.is_large_string,
            types.is_binary,
            types.is_large_binary,
            types.is_string_view,
        )
    )


def _address_space() -> int:
    """Bytes of address space in use; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    except OSError:
        return 0


if __name__ == "__main__":
    main()
