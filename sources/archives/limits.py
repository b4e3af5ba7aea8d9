"""Limits: how much of one archive is read before it counts as made to exhaust its readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class Refused(Exception):
    """Nothing after this point of an archive is read; the message is the ``problem`` of its row."""


@dataclass(frozen=True)
class Limits:
    """What is too much for one archive.

    ``total_bytes``: inflated size. ``ratio``: inflated by packed size, asked only beyond ``ratio_floor`` inflated
    bytes (DEFLATE reaches 1,032, source code 3 to 10). ``members``: entries of any kind. ``header_bytes``: the
    extended header of a member (long names, pax records). ``directory_bytes``: a zip archive's directory, which is
    held in memory. ``path_bytes``: a member's name.

    >>> Limits(ratio=0)
    Traceback (most recent call last):
    ValueError: ratio: expected at least 1, got 0
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    total_bytes: int = 64 << 30
    ratio: int = 250
    ratio_floor: int = 256 << 20
    members: int = 5_000_000
    header_bytes: int = 1 << 20
    directory_bytes: int = 256 << 20
    path_bytes: int = 4096

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")

    def check_inflated(self, inflated: int, packed: int) -> None:
        """Raise `Refused` when ``packed`` bytes of an archive became more than is allowed.

        >>> Limits(ratio_floor=1).check_inflated(1000, 2)
        Traceback (most recent call last):
        sources.archives.limits.Refused: too_large: inflates to more than 250 times its size
        """
        if inflated > self.total_bytes:
            raise Refused(f"too_large: inflates to more than {self.total_bytes:,} bytes")
        if inflated > self.ratio_floor and inflated > self.ratio * packed:
            raise Refused(f"too_large: inflates to more than {self.ratio} times its size")
