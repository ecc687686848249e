"""How the rows of a file are told apart, and which of its parts each goes to.

Shared by the tasks that split files, so that they split alike.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from windhover.util.byte_sizes import read_byte_size

#: How long a pattern may be searched for in one row.
SECONDS_A_ROW = 1.0

#: Gives the name of the part that a row, without its end, belongs to; None leaves it out.
ChoosePart = Callable[[bytes], str | None]


class LineSplitter:
    """Cuts a stream of bytes into lines: each ends with a line feed, a carriage return, or both."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that are complete by now, without their ends."""
        if b"\n" not in chunk and b"\r" not in chunk:
            self._rest.append(chunk)
            return []
        text = b"".join((*self._rest, chunk))
        lines = text.splitlines()
        if text.endswith(b"\n"):
            self._rest = []
        else:
            # After a carriage return a line feed may follow that belongs to it.
            self._rest = [lines.pop() + (b"\r" if text.endswith(b"\r") else b"")]
        return lines

    def finish(self) -> list[bytes]:
        """What is left: the last line need not be ended."""
        rest, self._rest = b"".join(self._rest), []
        return rest.splitlines()


class Division(msgspec.Struct, frozen=True):
    """How rows are divided. In ``sequence``, a part is over as soon as a row goes to another one."""

    choose: ChoosePart
    sequence: bool


def by_count(rows: int) -> Division:
    """Parts of so many rows; of one, if the number is smaller than that."""
    return _until_full(rows, lambda row: 1)


def by_size(size: int | str, separator: bytes) -> Division:
    """Parts that are full once they hold ``size`` bytes: the row that fills a part is its last.

    Raises:
        ValueError: it is no size.
    """
    return _until_full(read_byte_size(size), lambda row: len(row) + len(separator))


def in_turn(partitions: int) -> Division:
    """So many parts, to which rows are dealt out."""
    number = -1

    def choose(row: bytes) -> str:
        nonlocal number
        number = (number + 1) % partitions
        return str(number)

    return Division(choose, sequence=False)


def by_group(pattern: str) -> Division:
    """A part for each text of the pattern's first group; rows in which it is not found are left out.

    Raises:
        ValueError: the pattern has no group, or is none; from ``choose``: it takes too long.
    """
    from windhover.expression import ExpressionError
    from windhover.expression.java_regex import compile_java, search

    try:
        groups = compile_java(pattern).groups
    except ExpressionError as error:
        raise ValueError(str(error)) from error
    if not groups:
        raise ValueError(f"The pattern `{pattern}` has no group")

    def choose(row: bytes) -> str | None:
        try:
            found = search(pattern, row.decode(errors="replace"), SECONDS_A_ROW)
        except ExpressionError as error:
            raise ValueError(str(error)) from error
        if found is None:
            return None
        return "without" if found[1] is None else f"with {found[1]}"

    return Division(choose, sequence=False)


def _until_full(limit: int, weight: Callable[[bytes], int]) -> Division:
    part, held = 0, 0

    def choose(row: bytes) -> str:
        nonlocal part, held
        if held and held >= limit:
            part, held = part + 1, 0
        held += weight(row)
        return str(part)

    return Division(choose, sequence=True)
