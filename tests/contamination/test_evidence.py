"""Grams and evidence against a slow twin, the batch law, and what is left out of the index."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.words import word_hashes
from contamination.evidence import EVIDENCE, evidence, groups
from contamination.grams import GramKind, index_tasks
from contamination.rolling import BASE, LINK, Items, distinct_items, gram_values, powers, probe
from contamination.suite import Suite, Task
from contamination.tokens import family_of

WORDS = GramKind("words", 3)
PROGRAM = "def mean(values):\n    # adds\n    total = sum(values)\n    return total / len(values) if values else 0.0\n"
TASKS = (
    Task("a", "mean of all the values", (PROGRAM,), "assert mean([1, 2]) == 1.5"),
    Task("b", "largest of two given numbers", ("def big(a, b):\n    return max(a, b)\n", "big = max")),
)
SUITE = Suite("tiny", TASKS, "digest")


def suite(*tasks: Task, name: str = "tiny") -> Suite:
    return Suite(name, tasks, "digest")


def texts_of(*texts: str | None) -> pa.Array:
    return pa.array(texts, pa.large_string())


def look(index, *texts: str | None, language: str = "python") -> list[dict]:
    return evidence(texts_of(*texts), pa.array([language] * len(texts), pa.string()), index).to_pylist()


def words_of(text: str) -> list[str]:
    return re.findall("[A-Za-z0-9_]+", text)


def line_of(text: str, number: int) -> int:
    """The line of a text's word."""
    place = list(re.finditer("[A-Za-z0-9_]+", text))[number].start()
    return text.count("\n", 0, place) + 1


def twin(texts: list[str], tasks: tuple[Task, ...], n: int) -> list[tuple]:
    """Word n-gram facts: row, task, part, matched, total, longest, first and last line, of the best unit."""
    facts = []
    for row, text in enumerate(texts):
        words = words_of(text)
        grams = [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
        for task in tasks:
            units = [
                ("prompt", task.prompt),
                *(("solution", one) for one in task.solutions),
                ("tests", task.tests),
            ]
            best: dict[str, tuple] = {}
            for part, unit in units:
                own = words_of(unit)
                wanted = {tuple(own[at : at + n]) for at in range(len(own) - n + 1)}
                wanted = {gram for gram in wanted if not all(word[0].isdigit() for word in gram)}
                hits = [at for at, gram in enumerate(grams) if gram in wanted]
                if not hits:
                    continue
                longest = run = 1
                for before, at in zip(hits, hits[1:], strict=False):
                    run = run + 1 if at == before + 1 else 1
                    longest = max(longest, run)
                fact = (
                    len({grams[at] for at in hits}), len(wanted), longest,
                    line_of(text, hits[0]), line_of(text, hits[-1] + n - 1),
                )  # fmt: skip
                if part not in best or fact[0] / fact[1] > best[part][0] / best[part][1]:
                    best[part] = fact
            facts += [
                (row, task.id, part, *best[part]) for part in ("prompt", "solution", "tests") if part in best
            ]
    return facts


def shown(facts: list[dict]) -> list[tuple]:
    names = ("row", "task", "part", "matched", "total", "longest", "first_line", "last_line")
    return [tuple(fact[name] for name in names) for fact in facts]


SOME = st.text(alphabet="ab1 \n", max_size=40)


@given(
    st.lists(SOME, max_size=4),
    st.lists(st.tuples(SOME, SOME, SOME, SOME), min_size=1, max_size=3),
    st.integers(1, 4),
)
def test_words_like_the_twin(texts, parts, n):
    tasks = tuple(
        Task(
            str(number),
            prompt,
            tuple(dict.fromkeys(one for one in (first, second + f"\nz{number}") if one.strip())),
            tests,
        )
        for number, (prompt, first, second, tests) in enumerate(parts)
    )
    index = index_tasks([suite(*tasks)], [GramKind("words", n)], max_tasks=99)
    assert shown(look(index, *texts)) == twin(texts, tasks, n)


def test_whole_program_is_covered():
    facts = {
        (fact["representation"], fact["part"]): fact
        for fact in look(
            index_tasks([SUITE], [WORDS, GramKind("code", 4), GramKind("functions", 1)]), PROGRAM
        )
    }
    assert {key for key in facts if facts[key]["coverage"] == 1} == {
        ("raw", "solution"),
        ("code", "solution"),
        ("normalised", "solution"),
    }
    assert facts["code", "solution"]["rule"] == "4-gram"
    assert facts["normalised", "solution"]["rule"] == "function"
    assert (facts["code", "solution"]["first_line"], facts["code", "solution"]["last_line"]) == (1, 4)


def test_stripped_and_renamed_copies_are_seen_by_their_stream():
    index = index_tasks([suite(TASKS[0])], [GramKind("code", 4), GramKind("normalised", 4)])
    stripped = PROGRAM.replace("    # adds\n", "").replace("    ", "  ")
    renamed = stripped.replace("mean", "f").replace("values", "q").replace("total", "r")
    share = [
        {fact["representation"]: fact["coverage"] for fact in look(index, text)}
        for text in (stripped, renamed)
    ]
    assert share[0] == {"code": 1.0, "normalised": 1.0}
    assert share[1]["normalised"] == 1.0
    assert share[1].get("code", 0) < 0.5


def test_languages_of_other_families_never_meet():
    index = index_tasks([suite(TASKS[0])], [GramKind("code", 4), GramKind("normalised", 4)])
    assert look(index, PROGRAM, language="javascript") == []
    assert look(index, PROGRAM, language="cython") != []


def test_unescaped_copies_name_the_file_s_own_lines():
    import json

    index = index_tasks([suite(TASKS[0])], [WORDS])
    text = "{}\n" + json.dumps({"code": PROGRAM}) + "\n{}\n"
    fact = next(
        fact
        for fact in look(index, text, language="json")
        if fact["representation"] == "unescaped" and fact["part"] == "solution"
    )
    assert (fact["coverage"], fact["first_line"], fact["last_line"]) == (1.0, 2, 2)


def test_letters_ignore_everything_else():
    index = index_tasks([suite(Task("a", solutions=("abc def_123",)))], [GramKind("letters", 5)])
    assert look(index, "x(abc  de,\nf1.2-3)")[0]["coverage"] == 1.0
    assert look(index, "ABCDEF") == []


def test_characters_ignore_case_alone():
    index = index_tasks([suite(Task("a", solutions=("Return x",)))], [GramKind("characters", 4)])
    assert look(index, "  RETURN X")[0]["coverage"] == 1.0
    assert look(index, "return  x")[0]["coverage"] < 1


def test_numbers_alone_and_few_words_are_left_out():
    task = suite(Task("a", "1 2 3 4 5", ("x x x x x y",)))
    assert look(index_tasks([task], [GramKind("words", 3)]), "1 2 3 4 5") == []
    assert look(index_tasks([task], [GramKind("words", 3, min_distinct=2)]), "x x x x") == []
    assert len(look(index_tasks([task], [GramKind("words", 3)]), "x x x x")) == 1


def test_boilerplate_of_a_suite_is_left_out():
    tasks = [Task(str(number), f"please write a function that {number} only{number}") for number in range(5)]
    assert look(index_tasks([suite(*tasks)], [WORDS], max_tasks=4), "please write a function that") == []
    assert len(look(index_tasks([suite(*tasks)], [WORDS], max_tasks=5), "please write a function that")) == 5


def test_boilerplate_is_counted_in_each_suite():
    suites = [suite(Task("a", "please write a function"), name=f"s{number}") for number in range(3)]
    assert len(look(index_tasks(suites, [WORDS], max_tasks=1), "please write a function")) == 3


def test_tasks_with_the_same_solutions_are_indexed_once():
    tasks = [Task(str(number), f"prompt number {number} is this", (PROGRAM,)) for number in range(20)]
    facts = look(index_tasks([suite(*tasks)], [WORDS], max_tasks=2), PROGRAM)
    assert [fact["task"] for fact in facts] == ["0"]


def test_samples_are_the_same_whatever_stands_beside():
    kind = GramKind("letters", 10, sample=3)
    alone, both = index_tasks([suite(TASKS[0])], [kind]), index_tasks([SUITE], [kind])
    assert alone.grams[0].totals.max() == 3
    assert set(alone.grams[0].keys) <= set(both.grams[0].keys)


def test_pieces_and_allowed_texts():
    prompt = 'def f(x):\n    """Doubles the value given."""\n'
    task = Task("a", prompt, (prompt + "    return x * 2 + 0\n",))
    kind = GramKind("characters", 4, ("prompt", "solution"), pieces=True)
    texts = ("Doubles the value given.", "return x * 2 + 0")
    assert [fact["coverage"] for fact in look(index_tasks([suite(task)], [kind]), *texts)] == [1.0, 1.0]
    allowed = index_tasks([suite(task)], [kind], allow=["return x * 2 + 0"])
    assert [fact["row"] for fact in look(allowed, *texts)] == [0]


@pytest.mark.parametrize(
    ("suites", "kinds"), [([], [WORDS]), ([suite(Task("a"))], [WORDS]), ([SUITE], [])],
)  # fmt: skip
def test_empty_indexes_find_nothing(suites, kinds):
    index = index_tasks(suites, kinds)
    found = evidence(texts_of(PROGRAM, None), pa.array(["python", None]), index)
    assert (found.num_rows, found.schema) == (0, EVIDENCE)


def test_index_is_frozen_arrays():
    index = index_tasks([SUITE], [WORDS, GramKind("normalised", 5)])
    own = (index.under, index.unit_tasks, index.unit_parts)
    assert index.nbytes == sum(grams.nbytes for grams in index.grams) + sum(array.nbytes for array in own)
    assert index.about == {"tiny": {"tasks": 2, "sha256": "digest"}}
    assert [str(name) for name in index.names] == ["tiny/a", "tiny/b"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ({"ngram": 0}, "ngram: expected 1 to 512"),
        ({"min_distinct": 9}, "min_distinct: expected 1 to ngram"),
        ({"parts": ()}, "parts: expected some of"),
        ({"parts": ("all",)}, "got all"),
        ({"sample": -1}, "sample: expected 0"),
    ],
)
def test_kinds_are_checked(kind, expected):
    with pytest.raises(ValueError, match=expected):
        GramKind(**{"stream": "words", "ngram": 3} | kind)


BODIES = st.lists(
    st.none()
    | st.sampled_from(
        [
            PROGRAM,
            PROGRAM * 2,
            "x = 1",
            "def big(a, b):\n  return max(a, b)",
            '{"a": "\\n\\n\\n\\ndef big(a, b):\\n"}',
            "",
        ]
    ),
    max_size=6,
)


@given(BODIES, st.integers(0, 6))
def test_batch_law(texts, at):
    kinds = [
        WORDS,
        GramKind("code", 4),
        GramKind("normalised", 4),
        GramKind("functions", 1),
        GramKind("letters", 6),
    ]
    index = index_tasks([SUITE], kinds)
    content = texts_of("skipped", *texts).slice(1)
    language = pa.array(["json"] + ["python", "json", "java"] * 2, pa.string()).slice(1, len(texts))
    whole = evidence(content, language, index, base_row=5).to_pylist()
    cut = min(at, len(texts))
    parts = [
        *evidence(content.slice(0, cut), language.slice(0, cut), index, base_row=5).to_pylist(),
        *evidence(content.slice(cut), language.slice(cut), index, base_row=5 + cut).to_pylist(),
    ]
    names = EVIDENCE.names
    assert sorted([fact[name] for name in names] for fact in parts) == sorted(
        [fact[name] for name in names] for fact in whole
    )


def test_given_words_are_used():
    content = texts_of(PROGRAM)
    index = index_tasks([SUITE], [WORDS])
    assert evidence(content, pa.array(["python"]), index, word_hashes(content)).equals(
        evidence(content, pa.array(["python"]), index)
    )


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20), st.integers(1, 5), st.integers(0, 20))
def test_gram_values_are_polynomials(items, n, cut):
    hashes = np.array(items, np.uint64)
    starts = np.array([0, min(cut, len(items)), len(items)], np.int64)
    families = np.array([0, 7], np.uint64)
    values, rows, firsts = gram_values(Items(hashes, starts, families), n)
    expected = []
    for row in range(2):
        for first in range(starts[row], starts[row + 1] - n + 1):
            total = 0
            for item in items[first : first + n]:
                total = (total * BASE + item) % 2**64
            expected.append(((total + int(families[row])) % 2**64, row, first))
    assert list(zip(values.tolist(), rows.tolist(), firsts.tolist(), strict=True)) == expected
    counts = distinct_items(hashes, firsts, n)
    assert counts.tolist() == [len(set(items[first : first + n])) for first in firsts.tolist()]


def links(names: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """How far back and ahead the same name stands; 0 is no name."""
    before, after = np.zeros((2, len(names)), np.int32)
    for at, name in enumerate(names):
        last = max((i for i in range(at) if name and names[i] == name), default=None)
        if last is not None:
            before[at] = after[last] = at - last
    return before, after


@given(st.lists(st.integers(0, 3), max_size=25), st.integers(1, 8))
def test_linked_gram_values_see_links_inside_the_gram_only(names, n):
    hashes = np.array([9 if name else 100 + at for at, name in enumerate(names)], np.uint64)
    items = Items(hashes, np.array([0, len(names)]), np.zeros(1, np.uint64), *links(names))
    expected = []
    for first in range(len(names) - n + 1):
        total = 0
        for at in range(first, first + n):
            same = [i for i in range(first, at) if names[at] and names[i] == names[at]]
            total = (total * BASE + int(hashes[at]) + (at - same[-1] if same else 0) * LINK) % 2**64
        expected.append(total)
    assert gram_values(items, n)[0].tolist() == expected


@given(st.integers(0, 200))
def test_powers(most):
    assert powers(most).tolist() == [pow(BASE, k, 2**64) for k in range(most + 1)]


@given(BODIES)
def test_grams_are_those_that_match(texts):
    """Ascending, as many as matched, and those of the unit's whole text."""
    index = index_tasks(
        [SUITE], [WORDS, GramKind("code", 4), GramKind("normalised", 4), GramKind("functions", 1)]
    )
    language = pa.array(["python"] * len(texts), pa.string())
    known = {
        grams.kind.rule: set(grams.keys.tolist()) for grams in index.grams if grams.kind.stream != "code"
    }
    for fact in evidence(texts_of(*texts), language, index).to_pylist():
        assert len(fact["grams"]) == fact["matched"]
        assert fact["grams"] == sorted(set(fact["grams"]))
        assert fact["representation"] == "code" or set(fact["grams"]) <= known[fact["rule"]]


def words_similarity(one: str, other: str) -> float:
    own, wanted = set(words_of(one)), {word for word in words_of(other) if not word[0].isdigit()}
    return len(own & wanted) / max(1, len(own | wanted))


@given(st.lists(st.text(alphabet="abcd1 ", max_size=20), max_size=4), st.sampled_from([0.2, 0.5, 1.0]))
def test_jaccard_kinds_keep_similar_files_only(texts, least):
    prompts = ["a b c", "a 1 d", "b b"]
    index = index_tasks(
        [suite(*(Task(str(at), prompt) for at, prompt in enumerate(prompts)))],
        [GramKind("words", 1, jaccard=least)],
        max_tasks=99,
    )
    facts = look(index, *texts)
    expected = {
        (row, str(at))
        for row, text in enumerate(texts)
        for at, prompt in enumerate(prompts)
        if words_similarity(text, prompt) >= least - 1e-9
    }
    assert {(fact["row"], fact["task"]) for fact in facts} == expected
    for fact in facts:
        assert fact["items"] == len(set(words_of(texts[fact["row"]])))
        assert len(fact["grams"]) == fact["matched"]


def test_files_are_counted_only_where_that_is_asked_for():
    assert {fact["items"] for fact in look(index_tasks([SUITE], [WORDS]), PROGRAM)} == {0}


def test_tasks_with_the_same_solutions_say_under_whose_name():
    tasks = [Task("a", "x", (PROGRAM,)), Task("b", "y", (PROGRAM,)), Task("c", "z"), Task("d", "z")]
    assert index_tasks([suite(*tasks), suite(tasks[0], name="other")], [WORDS]).under.tolist() == [
        0,
        0,
        2,
        3,
        4,
    ]


def test_families_are_those_of_the_tasks():
    task = Task("j", solutions=("int f(int a) { return a + a * 2; }",), language="java")
    index = index_tasks([suite(TASKS[0], task)], [WORDS, GramKind("code", 4)])
    assert sorted(index.families.tolist()) == sorted([0, int(family_of("python")), int(family_of("java"))])
    assert look(index, PROGRAM, language="go") == look(index_tasks([suite(TASKS[0], task)], [WORDS]), PROGRAM)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.sampled_from("xy")), max_size=12))
def test_groups_number_rows_and_tasks(keys):
    rows = [{"row": row, "suite": one, "task": two} for row, one, two in keys]
    numbers = groups(pa.Table.from_pylist(rows, schema=EVIDENCE)).tolist()
    assert [numbers.index(number) for number in numbers] == [keys.index(key) for key in keys]
    assert sorted({*numbers}) == list(range(len({*keys})))


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 6), st.integers(0, 40))
def test_probe_finds_every_gram_that_is_a_key(items, n, cut):
    """Against a dictionary of all n-grams, links included."""
    before, after = links(items[: min(cut, len(items))])
    rest = links(items[min(cut, len(items)) :])
    stream = Items(
        np.array(items, np.uint64),
        np.array([0, min(cut, len(items)), len(items)], np.int64),
        np.array([0, 5], np.uint64),
        np.concatenate([before, rest[0]]),
        np.concatenate([after, rest[1]]),
    )
    values, rows, firsts = gram_values(stream, n)
    keys = np.unique(values)[::2]
    bitmap = np.full(1 << 13, 255, np.uint8)
    buckets = np.array([0, np.searchsorted(keys, np.uint64(1 << 63)), len(keys)], np.int32)
    known = {key: at for at, key in enumerate(keys.tolist())}
    starts = stream.starts.tolist()
    expected = [
        [row, first - starts[row], known[value]]
        for value, row, first in zip(values.tolist(), rows.tolist(), firsts.tolist(), strict=True)
        if value in known
    ]
    assert probe(stream, n, bitmap, np.uint64(48), buckets, keys).tolist() == expected


def test_probe_goes_on_over_its_blocks():
    """Files of many blocks, and hits right at their edges."""
    items = np.arange(7000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1)
    stream = Items(items, np.array([0, 7000], np.int64), np.zeros(1, np.uint64))
    for n in (1, 2, 7, 512):
        values = gram_values(stream, n)[0]
        wanted = [at for at in (0, 1, 2047 - n, 2048 - n, 2049 - n, 2048, 4095, 4096, 7000 - n) if at >= 0]
        keys = np.unique(values[wanted])
        buckets = np.array([0, np.searchsorted(keys, np.uint64(1 << 63)), len(keys)], np.int32)
        hits = probe(stream, n, np.full(1 << 13, 255, np.uint8), np.uint64(48), buckets, keys)
        assert hits[:, 1].tolist() == sorted({*wanted})


def test_no_bit_no_hit():
    stream = Items(np.arange(50, dtype=np.uint64), np.array([0, 50], np.int64), np.zeros(1, np.uint64))
    keys = np.unique(gram_values(stream, 2)[0])
    buckets = np.array([0, len(keys), len(keys)], np.int32)
    assert len(probe(stream, 2, np.zeros(1 << 13, np.uint8), np.uint64(48), buckets, keys)) == 0
