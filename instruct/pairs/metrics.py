"""Metrics: what CodeFusion's paper measures of predictions, as far as it needs no model.

Predictions are JSON lines ``{"id": …, "predictions": [best, second, …]}``. Bash by template match, rules by execution
match, all by exact match and validity, for the first 1, 3 and 5; diversity of the first 5. CodeBERTScore, the paper's
metric for Python, and the similarity of embeddings need models that are not part of this: the result names them as
not measured.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from columns.errors import InputError
from instruct.pairs.diversity import NGRAMS, Diversity, diversity
from instruct.pairs.labels import same_labels, sheet_of
from instruct.pairs.opened import json_of, lines_of
from instruct.pairs.pair import BASH, EXCEL, LANGUAGES, MOST_CHARS, PYTHON, TEST
from instruct.pairs.parser import parse_rule
from instruct.pairs.reading import read_pairs
from instruct.pairs.template import template_of
from instruct.pairs.validity import validity

TOPS = (1, 3, 5)
_LEFT_OUT = {PYTHON: ("CodeBERTScore (needs a model)",), BASH: (), EXCEL: ()}
_EMBEDDINGS = "similarity of embeddings (needs a model)"

Match = Callable[[str, Mapping[str, Any]], bool]


def measure_predictions(predictions_path: Path | str, pairs_path: Path | str, lang: str) -> dict[str, Any]:
    """Measure a file of predictions against pairs: shares from 0 to 1 over all pairs that have an answer to be matched.

    ``pairs_path`` is ``pairs.jsonl`` of a build (its test rows are used), or any input that `read_pairs` reads, whose
    test rows (all, where it names no split) are named like ``bash/test/1``. A pair without predictions counts as
    wrong; its absence, lines that cannot be read and ids that no pair has are counted. ``InputError`` for files that
    are not there or not of this kind, and an unknown language.

    Returns ``lang``, ``pairs``, ``predicted``, ``unknown``, ``unreadable``, ``repeated``, ``too_large``, ``top`` (by
    "1", "3", "5": the share with a match among so many, and the valid share of so many), ``diversity`` and
    ``not_measured``.
    """
    if lang not in LANGUAGES:
        raise InputError(f"no such language: {lang}", hint=f"one of {', '.join(LANGUAGES)}")
    pairs = _references(Path(pairs_path), lang)
    told, counts = _predictions(Path(predictions_path))
    answers = {name: told.get(name, []) for name in pairs}
    matches = _MATCHES[lang]
    found = {name: _judged(texts, pairs[name], lang, matches) for name, texts in answers.items()}
    return {
        "lang": lang,
        "pairs": len(pairs),
        "predicted": sum(bool(texts) for texts in answers.values()),
        "unknown": len(told.keys() - pairs.keys()),
        **counts,
        "top": {str(top): _shares(found.values(), top, matches, len(pairs)) for top in TOPS},
        "diversity": _diversity([diversity(texts) for texts in answers.values() if len(texts) > 1]),
        "not_measured": [*_LEFT_OUT[lang], _EMBEDDINGS],
    }


def _references(path: Path, lang: str) -> dict[str, dict[str, Any]]:
    rows = _exported(path) or [row for batch in read_pairs(path, lang) for row in batch.to_pylist()]
    rows = [
        row
        for row in rows
        if row.get("lang", lang) == lang and isinstance(row.get("code"), str) and row["code"]
    ]
    tests = [row for row in rows if row.get("split") == TEST]
    found = {str(row["id"]): row for row in tests or rows}
    if not found:
        raise InputError(
            f"{path}: no pairs of {lang}", hint="name pairs.jsonl of a build, or the data it was built from"
        )
    return found


def _exported(path: Path) -> list[dict[str, Any]]:
    """The rows of a build's pairs; none where the file is not one."""
    if not path.is_file() or ".jsonl" not in path.name.lower():
        return []
    rows = [_line(line) for line in lines_of(path)]
    return [row for row in rows if isinstance(row, dict) and "id" in row and "code" in row]


def _predictions(path: Path) -> tuple[dict[str, list[str]], dict[str, int]]:
    """The first five predictions by id; what is too large is an empty one, of a repeated id the first counts."""
    found: dict[str, list[str]] = {}
    counts = Counter({"unreadable": 0, "repeated": 0, "too_large": 0})
    for line in lines_of(path):
        row = _line(line)
        texts = row.get("predictions") if isinstance(row, dict) else None
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts) or "id" not in row:
            counts["unreadable"] += bool(line.strip())
        elif str(row["id"]) in found:
            counts["repeated"] += 1
        else:
            kept = texts[: max(TOPS)]
            counts["too_large"] += sum(len(text) > MOST_CHARS for text in kept)
            found[str(row["id"])] = [text if len(text) <= MOST_CHARS else "" for text in kept]
    return found, dict(counts)


def _line(line: str) -> Any:
    try:
        return json_of(line)
    except ValueError:
        return None


def _judged(
    texts: Sequence[str], pair: Mapping[str, Any], lang: str, matches: Mapping[str, Match]
) -> dict[str, list[bool]]:
    judged = {name: [match(text, pair) for text in texts] for name, match in matches.items()}
    return {**judged, "valid": [validity(text, lang).valid for text in texts]}


def _shares(
    found: Iterable[Mapping[str, list[bool]]], top: int, matches: Mapping[str, Match], pairs: int
) -> dict[str, float]:
    rows = list(found)
    hits = {name: sum(any(row[name][:top]) for row in rows) / pairs for name in matches}
    judged = [one for row in rows for one in row["valid"][:top]]
    return {**hits, "valid": sum(judged) / len(judged) if judged else 0.0}


def _diversity(found: Sequence[Diversity]) -> dict[str, Any]:
    """Means over sentences of the distinct n-grams, mean and standard deviation over all pairs of the distances."""
    distances = [one for each in found for one in each.distances]
    grams = {
        n: [one for each in found if (one := each.distinct[at]) is not None] for at, n in enumerate(NGRAMS)
    }
    return {
        "sentences": len(found),
        "distinct_ngrams": {str(n): statistics.fmean(ones) if ones else None for n, ones in grams.items()},
        "edit_distance_mean": statistics.fmean(distances) if distances else None,
        "edit_distance_std": statistics.pstdev(distances) if distances else None,
    }


def _exact(text: str, pair: Mapping[str, Any]) -> bool:
    return text.strip() == pair["code"].strip()


def _template(text: str, pair: Mapping[str, Any]) -> bool:
    """The same template; of a command that does not parse, the same command."""
    wanted = template_of(pair["code"])
    return _exact(text, pair) if wanted is None else template_of(text) == wanted


def _execution(text: str, pair: Mapping[str, Any]) -> bool:
    """The same rows formatted; without a sheet the same rule; for what is no rule (a formula), the same text."""
    wanted, told = parse_rule(pair["code"]).rule, parse_rule(text).rule
    sheet = sheet_of(pair.get("sheet"))
    if _exact(text, pair) or wanted is None or told is None or sheet is None or wanted == told:
        return _exact(text, pair) or (wanted is not None and wanted == told)
    return same_labels(told, wanted, sheet)


_MATCHES: dict[str, dict[str, Match]] = {
    PYTHON: {"exact": _exact},
    BASH: {"exact": _exact, "template": _template},
    EXCEL: {"exact": _exact, "execution": _execution},
}
