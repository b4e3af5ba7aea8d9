"""The configuration of repository-level documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

FileOrder = Literal["imports", "tree"]


@dataclass(frozen=True)
class RepositoryConfig:
    """Whether the files of a repository are one document, in which order, and what stands before each.

    ``join``: the switch. ``order``: "imports" puts a file behind those it imports (DeepSeek-Coder, arXiv 2401.14196),
    "tree" goes by path. ``comment``: the path as a comment in the file's language before each file; ``token``: a
    special token before each file ("" for none). Files of the two splits are never joined.
    """

    join: bool = False
    order: FileOrder = "imports"
    comment: bool = True
    token: str = ""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if self.order not in get_args(FileOrder):
            raise ValueError(f"order: expected {' or '.join(get_args(FileOrder))}, got {self.order!r}")

    def special_tokens(self) -> tuple[str, ...]:
        """The special tokens that the tokenizer must have."""
        return (self.token,) if self.join and self.token else ()
