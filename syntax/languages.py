"""Languages: which grammar reads a language, as data.

Every grammar is a wheel of its own (abi3, nothing is fetched at run time) that py-tree-sitter loads: language
ABI 13–15. Languages are spelled as `sources.languages` spells them. A language with two dialects lists the second
with the path suffixes it is for, so ``.tsx`` files of TypeScript are read by the TSX grammar.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple


class Grammar(NamedTuple):
    """One grammar: where its language function is, and for which files it stands."""

    language: str
    module: str
    function: str = "language"
    suffixes: tuple[str, ...] = ()

    @property
    def distribution(self) -> str:
        """The wheel it comes in."""
        return self.module.replace("_", "-")


GRAMMARS = (
    Grammar("python", "tree_sitter_python"),
    Grammar("javascript", "tree_sitter_javascript"),
    Grammar("typescript", "tree_sitter_typescript", "language_typescript"),
    Grammar("typescript", "tree_sitter_typescript", "language_tsx", (".tsx",)),
    Grammar("java", "tree_sitter_java"),
    Grammar("c", "tree_sitter_c"),
    Grammar("c++", "tree_sitter_cpp"),
    Grammar("c#", "tree_sitter_c_sharp"),
    Grammar("go", "tree_sitter_go"),
    Grammar("rust", "tree_sitter_rust"),
    Grammar("ruby", "tree_sitter_ruby"),
    Grammar("php", "tree_sitter_php", "language_php"),
    Grammar("shell", "tree_sitter_bash"),
    Grammar("html", "tree_sitter_html"),
    Grammar("css", "tree_sitter_css"),
    Grammar("json", "tree_sitter_json"),
    Grammar("scala", "tree_sitter_scala"),
    Grammar("lua", "tree_sitter_lua"),
    Grammar("kotlin", "tree_sitter_kotlin"),
    Grammar("yaml", "tree_sitter_yaml"),
    Grammar("toml", "tree_sitter_toml"),
)

LANGUAGES = tuple(dict.fromkeys(grammar.language for grammar in GRAMMARS))


def grammar_index(language: str | None, path: str | None) -> int:
    """Position in `GRAMMARS` of the grammar for a file; -1 for none.

    >>> GRAMMARS[grammar_index("typescript", "a/b.TSX")].function, grammar_index("cobol", "x.cob")
    ('language_tsx', -1)
    """
    candidates = _by_language().get(language or "", ())
    name = (path or "").lower()
    special = [at for at in candidates if GRAMMARS[at].suffixes and name.endswith(GRAMMARS[at].suffixes)]
    plain = [at for at in candidates if not GRAMMARS[at].suffixes]
    return (special or plain or [-1])[0]


@cache
def _by_language() -> dict[str, tuple[int, ...]]:
    positions = range(len(GRAMMARS))
    return {name: tuple(at for at in positions if GRAMMARS[at].language == name) for name in LANGUAGES}
