"""Diversity: how much the predictions for one sentence differ, as CodeFusion measures its five best.

The fraction of distinct n-grams of tokens for n from 1 to 4, and the edit distance of every two predictions over the
length of the longer. What a token is the paper does not say: ours are runs of letters, digits and ``_``, and single
other marks. Similarity of embeddings needs a model and is not measured.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from columns.errors import EnvironmentProblem

NGRAMS = (1, 2, 3, 4)
_TOKEN = re.compile(r"\w+|[^\w\s]")


class Diversity(NamedTuple):
    """Of one sentence's predictions: distinct over all n-grams for each n (None where there is none), and distances."""

    distinct: tuple[float | None, ...]
    distances: tuple[float, ...]


def diversity(predictions: Sequence[str]) -> Diversity:
    """Measure one sentence's predictions; ``distances`` has n (n − 1) / 2 numbers from 0 to 1.

    Costs quadratic time in their lengths for the distances. `EnvironmentProblem` where rapidfuzz is not installed.

    >>> diversity(["ls -l", "ls -a"])
    Diversity(distinct=(0.6666666666666666, 0.75, 1.0, None), distances=(0.2,))
    """
    try:
        from rapidfuzz.distance.Levenshtein import normalized_distance
    except ModuleNotFoundError as error:
        hint = "pip install 'thresher[instruct]'"
        raise EnvironmentProblem("diversity: the package rapidfuzz is not installed", hint=hint) from error
    tokens = [_TOKEN.findall(text) for text in predictions]
    distances = tuple(normalized_distance(one, other) for one, other in combinations(predictions, 2))
    return Diversity(tuple(_distinct(tokens, n) for n in NGRAMS), distances)


def _distinct(tokens: Sequence[Sequence[str]], n: int) -> float | None:
    grams = [tuple(one[at : at + n]) for one in tokens for at in range(len(one) - n + 1)]
    return len(set(grams)) / len(grams) if grams else None
