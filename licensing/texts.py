"""Texts: which SPDX licence, or licences, a licence text is.

A text is compared with every template by the pairs of neighbouring words both have. The Sørensen-Dice coefficient
(Sørensen 1948; Dice 1945) of the best window of the text against the template is the score: a window, so that a
preamble or a second licence in the same file does not lower it. What the windows leave over must not read like
further terms ("must", "not", "only", …): MIT plus a clause of one's own is not MIT.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit

from columns.words import word_hashes
from licensing.expressions import all_of
from licensing.pairs import WordPairs, word_pairs
from licensing.templates import shared_pairs, templates

MAX_CHARS = 200_000
_MAX_LICENSES = 8
_CANDIDATES = 12
_MIN_SHARE = 0.6
_MIN_PAIRS = 12
_GAP = 10
_AS_MUCH = 0.93
_SENTENCE = 8
_MIN_SAMPLED = 3
_TERMS = (
    "must shall only commercial noncommercial commercially prohibited forbidden restricted evil military weapons"
    " royalty fee fees consent revoked"
)
_OTHER_LICENSES = "mozilla mpl mplv2 gnu gpl gplv2 gplv3 lgpl agpl copyleft proprietary"
_TERM_PAIRS = (
    *("may not", "not permitted", "not allowed", "not licensed", "not use", "not include", "not grant"),
    *("provided that", "commons clause"),
)
_TERMS_INSIDE = (
    f"{_TERMS} not nor except unless restriction restrictions condition conditions prior written permission"
)


@dataclass(frozen=True)
class LicenseText:
    """What a text is: ``spdx`` (null when it is no known licence) and how like its template, ``score`` in [0, 1].

    ``score`` is that of the best template even where it does not suffice; ``candidate`` names that template.
    """

    spdx: str | None
    score: float
    candidate: str | None


class Window(NamedTuple):
    """Where one template lies in a text, in pairs: ``[start, end)``, its Dice score and what it explains.

    ``foreign``: the longest run of pairs in it, of those the template samples, that the template does not have.
    """

    template: int
    start: int
    end: int
    score: float
    gain: float
    foreign: int


def identify(text: str, threshold: float = 0.9, rest_words: int = 100) -> LicenseText:
    """Identify a licence text, about 1 ms for MIT and 4 ms for the GPL; only the first 200,000 characters are read.

    Several licences in one text give ``A AND B``: each of them has terms that hold for something in the repository.
    GNU texts do not say whether later versions may be chosen; they are named without ``-only`` or ``-or-later``
    (``GPL-3.0``), a header or the metadata may say more.

    A text with more than ``rest_words`` words beside the licences found is not recognised. Terms of one's own that
    stand before or after the licence in unsuspicious words are only seen by that number; ours, and generous, since
    one in ten real files has more than eight such words.

    >>> identify("Do what you like.")
    LicenseText(spdx=None, score=0.0, candidate=None)
    """
    found = word_pairs(text[:MAX_CHARS])
    windows, best = _windows(found, threshold)
    if not windows:
        return LicenseText(None, best.score, templates().ids[best.template]) if best else _NOTHING
    score = min(window.score for window in windows)
    names = [templates().ids[window.template] for window in windows]
    if _adds_terms(found, windows, rest_words):
        return LicenseText(None, score, names[0])
    return LicenseText(all_of(names), score, names[0])


_NOTHING = LicenseText(None, 0.0, None)


def contained(text: str, threshold: float = 0.9) -> str | None:
    """The licences whose whole text lies somewhere inside a text, such as the head of a source file.

    >>> contained("int main() { return 0; }")
    """
    found = word_pairs(text)
    windows, _ = _windows(found, threshold)
    windows = [window for window in windows if not _adds_terms_inside(found, window)]
    return all_of([templates().ids[window.template] for window in windows]) if windows else None


def _windows(found: WordPairs, threshold: float) -> tuple[list[Window], Window | None]:
    """The windows above the threshold, cut out one after the other; and the best of all."""
    windows: list[Window] = []
    best: Window | None = None
    taken = np.zeros(len(found.pairs), np.bool_)
    while len(windows) < _MAX_LICENSES:
        window = _best_window(found.pairs, taken, threshold)
        if window is not None and (best is None or window.score > best.score):
            best = window
        if window is None or window.score < threshold:
            break
        windows.append(window)
        taken[window.start : window.end] = True
    return sorted(windows, key=lambda window: window.start), best


def _best_window(pairs: np.ndarray, taken: np.ndarray, threshold: float) -> Window | None:
    distinct, places = np.unique(pairs, return_inverse=True)
    free = np.zeros(len(distinct), np.bool_)
    free[places[~taken]] = True
    known = templates()
    shared = shared_pairs(distinct[free])
    sizes = np.diff(known.starts)
    share = shared / sizes
    weight = np.where((share >= _MIN_SHARE) & (shared >= _MIN_PAIRS), share * (shared << known.levels), 0)
    order = np.argsort(-weight, kind="stable")[:_CANDIDATES]
    windows = [_window(int(t), distinct, places, taken) for t in order if weight[t] > 0]
    if not windows:
        return None
    good = [window for window in windows if window.score >= threshold]
    if not good:
        return max(windows, key=lambda w: w.score)
    most = max(window.gain for window in good)
    return max((w for w in good if w.gain >= most * _AS_MUCH), key=lambda w: (w.score, w.gain))


def _window(template: int, distinct: np.ndarray, places: np.ndarray, taken: np.ndarray) -> Window:
    known = templates()
    level, wanted = int(known.levels[template]), known.of(template)
    at = np.minimum(np.searchsorted(wanted, distinct), len(wanted) - 1)
    kinds = np.where(distinct & ((1 << level) - 1) == 0, 1, 0).astype(np.int8)
    kinds[wanted[at] == distinct] = 2
    start, end, matched, inside, foreign = _densest(kinds, places, taken, max(_GAP, len(wanted) // 8))
    score = 2 * matched / (inside + len(wanted))
    gain = matched - (len(wanted) - matched) / 2 - (inside - matched) / 2
    return Window(template, start, end, score, gain * (1 << level), foreign)


@njit(nogil=True, cache=True)
def _densest(kinds, places, taken, gap):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The run of pairs with the greatest sum of +1 (in the template) and -1 (not in it); and its distinct pairs.

    A run ends where the sum has fallen by more than ``gap``, so that two alike texts do not become one run.
    Pairs that a sketch does not sample (kind 0) count nothing; the run takes in those around it.
    """
    best = total = peak = 0
    first = start = end = 0
    for at in range(len(places)):
        kind = kinds[places[at]]
        total = 0 if taken[at] else total + (1 if kind == 2 else -kind)
        peak = max(peak, total)
        if total <= 0 or total < peak - gap:
            total, peak, first = 0, 0, at + 1
        elif total > best:
            best, start, end = total, first, at + 1
    while start > 0 and not taken[start - 1] and kinds[places[start - 1]] == 0:
        start -= 1
    while end < len(places) and not taken[end] and kinds[places[end]] == 0:
        end += 1
    seen = np.zeros(len(kinds), np.bool_)
    matched = inside = run = foreign = 0
    for at in range(start, end):
        place = places[at]
        run = 0 if kinds[place] == 2 else run + kinds[place]
        foreign = max(foreign, run)
        if not seen[place]:
            seen[place] = True
            matched += kinds[place] == 2
            inside += kinds[place] > 0
    return start, end, matched, inside, foreign


@cache
def _hashes(words: str) -> np.ndarray[Any, Any]:
    return np.unique(word_hashes(pa.array([words], pa.large_string())).hashes)


def _adds_terms(found: WordPairs, windows: list[Window], rest_words: int) -> bool:
    """Whether the words that no window explains read like terms, or name a licence that is not there."""
    rest = np.ones(len(found.words), np.bool_)
    for window in windows:
        rest[window.start : window.end + 1] = False
    if rest.sum() > rest_words:
        return True
    copyleft = any(re.search("GPL|MPL", templates().ids[window.template]) for window in windows)
    words = _TERMS if copyleft else f"{_TERMS} {_OTHER_LICENSES}"
    if np.isin(found.words[rest], _hashes(words)).any() or np.isin(found.pairs[rest[:-1]], _may_not()).any():
        return True
    return any(_adds_terms_inside(found, window) for window in windows)


@cache
def _may_not() -> np.ndarray[Any, Any]:
    return np.concatenate([word_pairs(words).pairs for words in _TERM_PAIRS])


def _adds_terms_inside(found: WordPairs, window: Window) -> bool:
    """Whether a window holds a sentence that its template does not have, or a word of terms.

    Of a template that is kept as a sample only longer sentences are seen.
    """
    known, inside = templates(), slice(window.start, window.end)
    level = int(known.levels[window.template])
    if window.foreign >= max(_MIN_SAMPLED, _SENTENCE >> level):
        return True
    if level:
        return False
    match = np.isin(found.pairs[inside], known.of(window.template))
    rest = np.ones(len(match) + 1, np.bool_)
    rest[:-1][match] = False
    rest[1:][match] = False
    words = found.words[window.start : window.end + 1]
    return bool(np.isin(words[rest], _hashes(_TERMS_INSIDE)).any())
