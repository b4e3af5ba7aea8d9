"""What to look for and what to replace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from privacy.kinds import DEFAULT_KINDS, KINDS


@dataclass(frozen=True)
class PrivacyConfig:
    """``kinds``: what `find_spans` reports; ``redact``: which of them `redact` replaces (see `privacy.KINDS`).

    There is no option to give equal values equal placeholders: that would tell where a secret occurs again.

    >>> PrivacyConfig(kinds=("email",), redact=("email",)).redact
    ('email',)
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    kinds: tuple[str, ...] = DEFAULT_KINDS
    redact: tuple[str, ...] = DEFAULT_KINDS

    def __post_init__(self) -> None:
        for name in self.kinds:
            if name not in KINDS:
                raise ValueError(f"kinds: expected names of privacy.KINDS, got {name!r}")
        for name in self.redact:
            if name not in self.kinds:
                raise ValueError(f"redact: expected some of kinds, got {name!r}")
