"""Licence texts: disguised ones are found, changed ones are not, and the kernels equal a plain Python twin."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.words import word_hashes
from licensing import identify
from licensing.pairs import PAIR_BITS, word_pairs
from licensing.templates import shared_pairs, templates
from licensing.texts import MAX_CHARS, _densest, contained
from tests.licensing.planted import (
    ISC,
    MIT,
    OWN_TERMS,
    TEXTS,
    UNLICENSE,
    UNMARKED_TERMS,
    ZLIB,
    Case,
    disguised,
    fill,
    near_misses,
)

ROOT = Path(__file__).resolve().parent.parent.parent
IMPORTANT = """MIT MIT-0 X11 ISC 0BSD BSD-1-Clause BSD-2-Clause BSD-3-Clause BSD-4-Clause Apache-1.1 Apache-2.0
MPL-1.1 MPL-2.0 GPL-1.0 GPL-2.0 GPL-3.0 LGPL-2.1 LGPL-3.0 AGPL-3.0 GFDL-1.3 CC-BY-3.0 CC-BY-4.0
CC-BY-SA-4.0 CC-BY-NC-4.0 CC0-1.0 Unlicense WTFPL Zlib BSL-1.0 EPL-1.0 EPL-2.0 EUPL-1.2 CDDL-1.0
Artistic-2.0 OFL-1.1 PSF-2.0 Python-2.0 Ruby NCSA PostgreSQL MS-PL JSON SSPL-1.0 BUSL-1.1
Elastic-2.0 UPL-1.0 MulanPSL-2.0 BlueOak-1.0.0 HPND curl Vim"""
words = st.lists(
    st.sampled_from(["the", "software", "is", "as", "permission", "not", "shall", "mit", "license", "a"]),
    max_size=60,
)


def pairs_slow(text: str) -> list[int]:
    """The slow, clear twin of `word_pairs` for text without copyright lines or placeholders."""
    found = re.findall(r"[a-z0-9]+", text.lower().replace("_", " ").replace("licence", "license"))
    hashes = [int(word_hashes(pa.array([word], pa.large_string())).hashes[0]) for word in found]
    full, mix = 2**64 - 1, 0x9E3779B97F4A7C15
    joined = [(((a * mix) & full) ^ b) for a, b in zip(hashes, hashes[1:], strict=False)]
    return [((value * mix) & full) >> (64 - PAIR_BITS) for value in joined]


@given(words.map(" ".join))
def test_pairs_equal_the_slow_twin(text):
    assert word_pairs(text).pairs.tolist() == pairs_slow(text)


@given(st.text(max_size=300))
def test_any_text_has_an_answer(text):
    found = identify(text)
    assert 0 <= found.score <= 1
    assert found.spdx is None or found.candidate is not None


@pytest.mark.parametrize(
    "layout",
    [
        "# The MIT\n# Licence",
        "/* the  mit\r\n * license */",
        "<b>The</b> _MIT_ **License**",
        "Copyright (c) 2020 Some Body\nthe mit license",
        "(C) 2001 Some Body\nAll rights reserved.\nThe MIT-License",
    ],
)
def test_layout_and_copyright_lines_do_not_count(layout):
    assert word_pairs(layout).pairs.tolist() == word_pairs("the mit license").pairs.tolist()


@pytest.mark.parametrize(
    "line", ["copyright notice, this list", "COPYRIGHT HOLDERS BE LIABLE", "2. Copyright grant"]
)
def test_lines_that_only_speak_of_copyright_count(line):
    assert len(word_pairs(line).words) > 2


def test_templates_are_sorted_distinct_and_sampled_by_level():
    known = templates()
    assert len(known.ids) == len(set(known.ids)) > 300
    for number in range(len(known.ids)):
        pairs, level = known.of(number), int(known.levels[number])
        assert (np.diff(pairs.astype(np.int64)) > 0).all()
        assert not (pairs & ((1 << level) - 1)).any()
        assert len(pairs) <= 480


@pytest.mark.parametrize(
    "spdx",
    IMPORTANT.split(),
)
def test_licences_that_matter_have_a_template(spdx):
    assert spdx in templates().ids


def test_gnu_templates_do_not_say_only_or_later():
    assert [name for name in templates().ids if name.endswith(("-only", "-or-later", "+"))] == []


@given(st.lists(st.integers(0, 2**PAIR_BITS - 1), max_size=40), st.integers(0, 311))
def test_shared_pairs_equal_set_intersections(noise, number):
    known = templates()
    found = np.unique(np.concatenate([np.array(noise, np.uint32), known.of(number)[::3]]))
    expected = [len(set(known.of(n).tolist()) & set(found.tolist())) for n in range(len(known.ids))]
    assert shared_pairs(found).tolist() == expected


def densest_slow(kinds: list[int], taken: list[bool], gap: int) -> int:
    """The greatest sum over runs that no taken pair and no fall by more than ``gap`` interrupts."""
    best = 0
    for start in range(len(kinds)):
        total = peak = 0
        for kind, used in zip(kinds[start:], taken[start:], strict=True):
            total += 1 if kind == 2 else -kind
            if used or total <= 0 or total < peak - gap:
                break
            peak, best = max(peak, total), max(best, total)
    return best


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=40), st.integers(1, 6))
def test_densest_run_equals_the_slow_twin_where_nothing_interrupts(pairs, gap):
    kinds = [kind for kind, _ in pairs]
    none_taken = [False] * len(kinds)
    wide = len(kinds) + 1
    start, end, matched, inside, foreign = _densest(
        np.array(kinds, np.int8), np.arange(len(kinds)), np.array(none_taken, np.bool_), wide
    )
    run = kinds[start:end]
    assert (matched, inside) == (run.count(2), len(run) - run.count(0))
    assert matched - run.count(1) == densest_slow(kinds, none_taken, wide)
    assert foreign <= run.count(1)
    taken = [used for _, used in pairs]
    start, end, *_ = _densest(np.array(kinds, np.int8), np.arange(len(kinds)), np.array(taken, np.bool_), gap)
    assert not any(taken[start:end])


@pytest.mark.parametrize("case", [*disguised(TEXTS, 3)], ids=lambda case: f"{case.spdx}-{case.kind}")
def test_disguised_texts_are_found(case: Case):
    found = identify(case.text)
    assert (found.spdx, found.candidate) == (case.spdx, case.spdx)
    assert found.score > 0.9


@pytest.mark.parametrize(
    "case", [c for c in near_misses(TEXTS, 4) if "unmarked" not in c.kind], ids=lambda c: c.kind
)
def test_changed_texts_are_not_the_licence(case: Case):
    assert identify(case.text).spdx is None


def test_precision_and_recall_on_the_planted_set():
    cases = [*disguised(TEXTS, 5), *(c for c in near_misses(TEXTS, 6) if "unmarked" not in c.kind)]
    answers = [(case.spdx, identify(case.text).spdx) for case in cases]
    right = sum(truth == found for truth, found in answers if found is not None)
    assert right == sum(found is not None for _, found in answers), "precision below 1"
    assert right == sum(truth is not None for truth, _ in answers), "recall below 1"


@pytest.mark.parametrize("terms", UNMARKED_TERMS[:4])
def test_terms_in_plain_words_after_the_text_are_seen_by_their_number_only(terms):
    text = f"{fill(MIT, random.Random(1))}\n{terms}\n"
    assert identify(text).spdx == "MIT"
    assert identify(text, rest_words=4).spdx is None


def test_a_whole_sentence_inside_is_seen_whatever_its_words():
    parts = MIT.split("\n\n")
    text = "\n\n".join([*parts[:3], UNMARKED_TERMS[1], *parts[3:]])
    assert identify(text).spdx is None
    assert identify(text).score > 0.9


def test_the_repository_s_own_licence():
    found = identify((ROOT / "LICENSE").read_text())
    assert found.spdx == "Apache-2.0"
    assert found.score > 0.99


def test_apache_with_the_commons_clause_is_not_apache():
    clause = (
        "“Commons Clause” License Condition v1.0\n\nThe Software is provided to you by the Licensor under the"
    )
    clause += " License, as defined below, subject to the following condition. Without limiting other"
    clause += " conditions in the License,"
    clause += " the grant of rights under the License will not include the right to Sell the Software.\n\n"
    assert identify(clause + (ROOT / "LICENSE").read_text()).spdx is None


def test_two_texts_in_one_file_both_hold():
    assert identify(MIT + "\n\n" + TEXTS["BSD-3-Clause"]).spdx == "BSD-3-Clause AND MIT"
    assert identify((ROOT / "LICENSE").read_text() + "\n\n---\n\n" + ISC).spdx == "Apache-2.0 AND ISC"


def test_the_same_text_twice_is_one_licence():
    assert identify(f"Copyright (c) 2001 A\n{MIT}\n\nCopyright (c) 2002 B\n{MIT}").spdx == "MIT"


def test_a_text_that_names_another_licence_beside_its_own_is_not_recognised():
    assert identify(f"All files but those in lib/ are under the GNU LGPL.\n\n{MIT}").spdx is None


def test_threshold_and_score():
    changed = re.sub(r"\bSoftware\b", "Program", MIT)
    found = identify(changed)
    assert found.candidate == "MIT"
    assert identify(changed, threshold=0.5).spdx == "MIT"
    assert identify(changed, threshold=0.99).spdx is None
    assert 0.6 < found.score < 0.98


def test_relatives_are_told_apart():
    assert identify(ISC.replace("and/or distribute", "and distribute")).spdx == "ISC"
    parts = TEXTS["BSD-3-Clause"].split("\n\n")
    assert identify("\n\n".join(parts[:4] + parts[5:])).spdx == "BSD-2-Clause"
    assert identify(UNLICENSE.split("\n\n", 1)[1]).score > 0.9


def test_texts_inside_source_files_are_found_among_code():
    code = "".join(f"int f{n}(int a) {{ return a * {n}; }}\n" for n in range(200))
    head = "/*\n" + "".join(f" * {line}\n" for line in ZLIB.splitlines()) + " */\n"
    assert contained(head + code) == "Zlib"
    assert contained(code) is None
    inside = ZLIB.replace(
        "including commercial applications", f"excluding commercial applications. {OWN_TERMS[0]}"
    )
    assert contained("/*" + inside + "*/" + code) is None


def test_hostile_texts_end_quickly_and_are_cut():
    assert identify("<" * MAX_CHARS).spdx is None
    assert identify("copyright (c) " * 20_000).spdx is None
    assert identify("permission is hereby granted " * 20_000).spdx is None
    assert identify("x " * MAX_CHARS + MIT).spdx is None
    assert identify("\n" * MAX_CHARS).spdx is None
