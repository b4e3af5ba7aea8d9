"""Given tokenizers: a vocabulary from the name or file that a recipe gives."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from columns.errors import InputError
from shards.tokenizers.bpe import parse_ranks
from shards.tokenizers.patterns import ENCODINGS, PATTERNS
from shards.tokenizers.published import published_ranks, read_file
from shards.tokenizers.runs import CODEGEN_PADDED, CODEGEN_RUNS
from shards.tokenizers.vocabulary import Vocabulary


def codex_vocabulary(path: str, eot: str, sha256: str | None) -> Vocabulary:
    """Codex's p50k_base: GPT-3's BPE with runs of 2 to 25 spaces as ranks; 50,281 ids, end of text is 50256."""
    return _published("codex", "p50k_base", path, eot, sha256)


def codegen_vocabulary(path: str, eot: str, sha256: str | None) -> Vocabulary:
    """CodeGen's: GPT-2's BPE, 38 runs of white space cut out before it (ids 50257–50294), padded to 51,200."""
    return _published("codegen", "r50k_base", path, eot, sha256, added=CODEGEN_RUNS, padded=CODEGEN_PADDED)


def _published(
    kind: Literal["codex", "codegen"],
    encoding: str,
    path: str,
    eot: str,
    sha256: str | None,
    *,
    added: Mapping[str, int] | None = None,
    padded: int = 0,
) -> Vocabulary:
    data, known = published_ranks(encoding, path), ENCODINGS[encoding]
    if sha256 is not None and sha256.lower() != known.sha256:
        raise InputError(
            f"{kind}: sha256 is {known.sha256}, expected {sha256}", hint="leave tokenizer.sha256 out"
        )
    extra = dict(added or {})
    size = max(*parse_ranks(data, encoding).values(), known.eot_id, *extra.values()) + 1
    return Vocabulary(
        kind,
        kind,
        known.sha256,
        size,
        eot,
        known.eot_id,
        known.pattern,
        data,
        padded,
        added=extra,
    )


def tiktoken_vocabulary(name: str, eot: str, sha256: str | None) -> Vocabulary:
    """From ``NAME`` (of a published encoding that is on this machine) or ``FILE.tiktoken[#PATTERN]``.

    A published file is known by its hash; for another one the pattern is read off ``#PATTERN`` and end of
    text gets the lowest id that no rank uses.
    """
    if name in ENCODINGS:
        path, asked, data = name, "", published_ranks(name)
    else:
        path, _, asked = name.partition("#")
        data = read_file(path, sha256)
    digest = hashlib.sha256(data).hexdigest()
    if sha256 is not None and digest != sha256.lower():
        raise InputError(
            f"{name}: sha256 is {digest}, expected {sha256}", hint="another file than the recipe means"
        )
    ranks = parse_ranks(data, Path(path).name)
    known = next((item for item in ENCODINGS.values() if item.sha256 == digest), None)
    pattern = asked or (known.pattern if known else _pattern_by_name(path))
    if pattern not in PATTERNS:
        raise InputError(f"{name}: no pattern {pattern!r}", hint=f"one of {', '.join(sorted(PATTERNS))}")
    used = set(ranks.values())
    eot_id = known.eot_id if known else next(free for free in range(len(used) + 1) if free not in used)
    return Vocabulary("tiktoken", Path(path).name, digest, max(*used, eot_id) + 1, eot, eot_id, pattern, data)


def _pattern_by_name(path: str) -> str:
    found = ENCODINGS.get(Path(path).stem)
    if found is not None:
        return found.pattern
    hint = f"name it: tiktoken:{path}#cl100k (one of {', '.join(sorted(PATTERNS))})"
    raise InputError(f"{path}: a rank file does not say how text is cut into pieces", hint=hint)


def hugging_face_vocabulary(path: str, eot: str, sha256: str | None) -> Vocabulary:
    """From a ``tokenizer.json``; it must hold the end-of-text token."""
    from tokenizers import Tokenizer as HuggingFace

    data = read_file(path, sha256)
    try:
        model = HuggingFace.from_str(data.decode())
    except Exception as error:  # the library raises bare Exception for any malformed file
        raise InputError(f"{path}: not a tokenizer.json: {error}") from None
    added = model.get_added_tokens_decoder()
    eot_id = model.token_to_id(eot)
    if eot_id is None:
        known = sorted(str(token.content) for token in added.values())
        raise InputError(
            f"{path}: no end-of-text token {eot!r}", hint=f"set tokenizer.eot, for example {known[:8]}"
        )
    digest = hashlib.sha256(data).hexdigest()
    size = max(model.get_vocab(with_added_tokens=True).values()) + 1
    specials = {str(token.content): number for number, token in added.items() if token.special}
    return Vocabulary("tokenizers", Path(path).name, digest, size, eot, eot_id, None, data, specials=specials)
