"""How much a source file may ask of the machine. There is no limit on rows."""

from __future__ import annotations

from rai_assets.errors import InputRefused

CHUNK_BYTES = 4 << 20  # decoded text read at a time
MAX_FIELD_BYTES = 1 << 20  # one value
MAX_RECORD_BYTES = 16 << 20  # one row of a text file
MAX_BATCH_BYTES = 256 << 20  # one batch when decoded
DECODER_BYTES = 2 << 30  # memory of the process that decodes a format with pages
BATCH_ROWS = 8192  # rows of a batch where the format is not text
MAX_EXPANSION = 500  # decoded bytes per byte of the file
FREE_EXPANSION_BYTES = 64 << 20  # below this much decoded data the ratio is not looked at


class Expansion:
    """Watches how much bigger a file gets when it is decoded.

    Args:
        where: Name of the file.
        size: Its bytes.
    """

    def __init__(self, where: str, size: int) -> None:
        self._where = where
        self._size = max(size, 1)
        self._decoded = 0

    def add(self, decoded: int) -> None:
        """Count decoded bytes.

        Raises:
            InputRefused: The file expands more than any honest data do.
        """
        self._decoded += decoded
        ratio = self._decoded / self._size
        if self._decoded > FREE_EXPANSION_BYTES and ratio > MAX_EXPANSION:
            raise InputRefused(
                f"{self._size:,} bytes decode to {self._decoded:,} and more, over {MAX_EXPANSION:,}-fold: "
                "the file looks made to fill the memory",
                where=self._where,
                fix="write the data again without repeating one value so often, or uncompressed",
            )


def check_field(where: str, column: str, size: int | None) -> None:
    """Refuse a value that is too long; `where` names file, row and line.

    Raises:
        InputRefused: `size` is above the limit.
    """
    if size is not None and size > MAX_FIELD_BYTES:
        raise InputRefused(
            f"the value has {size:,} bytes; a value has at most {MAX_FIELD_BYTES:,}",
            where=f"{where}, column {column!r}",
            fix="check the quotes around it, or leave the column out of the file",
        )
