"""The configuration of infilling, and the published layouts."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal, NamedTuple, get_args

from shards.tokenizers import Tokenizer

Unit = Literal["character", "line", "node"]
Level = Literal["document", "context"]
LayoutName = Literal["codellama", "starcoder", "openai"]

PLAIN, PSM, SPM = 0, 1, 2


class Layout(NamedTuple):
    """Special tokens by name, ``end`` "" for none, and whether SPM encodes prefix and middle as one text.

    PSM: ``prefix`` text ``suffix`` text ``middle`` text ``end``. SPM: ``prefix`` ``suffix`` suffix's text ``middle``
    prefix's and middle's text ``end``.
    """

    prefix: str
    middle: str
    suffix: str
    end: str
    joint: bool


LAYOUTS: MappingProxyType[str, Layout] = MappingProxyType(
    {
        "codellama": Layout("▁<PRE>", "▁<MID>", "▁<SUF>", "▁<EOT>", joint=True),
        "starcoder": Layout("<fim_prefix>", "<fim_middle>", "<fim_suffix>", "", joint=False),
        "openai": Layout("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "", joint=False),
    }
)


class Marks(NamedTuple):
    """The ids of a layout's special tokens; ``end`` is -1 for none."""

    prefix: int
    middle: int
    suffix: int
    end: int


@dataclass(frozen=True)
class InfillConfig:
    """Which documents are rearranged for fill-in-the-middle, and how (Bavarian et al., arXiv 2207.14255).

    ``rate``: the share of documents, by hash of ``seed`` and content; 0 is off, Code Llama has 0.9 (arXiv 2308.12950,
    §2.3). ``spm_share``: of these, how many are suffix-prefix-middle; the others are prefix-suffix-middle.
    ``unit``: both cuts are uniform over the places between "character"s or over the beginnings of "line"s, or the
    middle is a function, method or class ("node"; a document without one is cut between characters).
    ``level``: "context" leaves a document plain that would not lie whole in a row (Code Llama); "document" rearranges
    before rows are cut. ``layout`` names the order and the tokens (`LAYOUTS`), ``tokens`` are other names for
    them: prefix, middle, suffix, and an end where one is wanted.
    """

    rate: float = 0.0
    spm_share: float = 0.5
    unit: Unit = "character"
    level: Level = "context"
    layout: LayoutName = "starcoder"
    tokens: tuple[str, ...] = ()
    seed: int = 0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in ("rate", "spm_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}: expected 0 to 1, got {getattr(self, name)}")
        for name, kind in (("unit", Unit), ("level", Level), ("layout", LayoutName)):
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name}: expected {', '.join(get_args(kind))}, got {getattr(self, name)!r}")
        if self.tokens and (len(self.tokens) not in (3, 4) or len(set(self.tokens)) < len(self.tokens)):
            raise ValueError(f"tokens: expected 3 or 4 distinct names, got {list(self.tokens)}")

    @property
    def layout_used(self) -> Layout:
        """The layout with the names of this configuration.

        >>> InfillConfig(tokens=("<P>", "<M>", "<S>")).layout_used
        Layout(prefix='<P>', middle='<M>', suffix='<S>', end='', joint=False)
        """
        found = LAYOUTS[self.layout]
        prefix, middle, suffix, end = (*self.tokens, "")[:4] if self.tokens else found[:4]
        return Layout(prefix, middle, suffix, end, found.joint)

    def special_tokens(self) -> tuple[str, ...]:
        """The special tokens that the tokenizer must have; none where infilling is off."""
        return tuple(name for name in self.layout_used[:4] if name) if self.rate else ()

    def marks(self, tokenizer: Tokenizer) -> Marks:
        """The ids of the special tokens; `InputError` names one that the tokenizer lacks."""
        names = self.layout_used[:4]
        return Marks(*(tokenizer.special_id(name) if name else -1 for name in names))
