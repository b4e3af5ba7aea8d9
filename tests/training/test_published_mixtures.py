"""Published mixtures and curricula written as stages: the accounts of docs/transforms.md come out."""

from __future__ import annotations

import pytest

from training.mixture import Stage
from training.order import Member, Order

CONTEXT = 4096
CODE_LLAMA = {"code": 0.85, "about_code": 0.08, "prose": 0.07}
PYTHON = {"python": 0.75, "code": 0.10, "about_code": 0.10, "prose": 0.05}
EPOCHS = {"code": 2.03, "about_code": 1.39, "prose": 0.01}


def rows(tokens: float, context: int = CONTEXT) -> int:
    return round(tokens / context)


@pytest.fixture(scope="module")
def code_llama() -> Order:
    """Sources as large as the published epochs say, and the Python stage behind the first one."""
    sizes = {name: rows(500e9 * CODE_LLAMA[name] / EPOCHS[name]) for name in CODE_LLAMA}
    members = (*(Member(name, size) for name, size in sizes.items()), Member("python", rows(75e9 / 3.69)))
    return Order(members, (Stage(CODE_LLAMA, rows(500e9)), Stage(PYTHON, rows(100e9))), seed=1)


def test_code_llamas_shares_are_exact(code_llama):
    total = rows(500e9)
    counts = code_llama.counts(total)
    assert sum(counts.values()) == total
    assert all(abs(counts[name] - share * total) < 1 for name, share in CODE_LLAMA.items())
    assert counts["python"] == 0
    for position in (1000, 1_000_000):
        early = code_llama.counts(position)
        assert all(abs(early[name] - share * position) < 1 for name, share in CODE_LLAMA.items())


def test_code_llamas_epochs_are_the_published_ones(code_llama):
    """Code 2.03, natural language about code 1.39, prose 0.01: Table 1."""
    counts = code_llama.counts(rows(500e9))
    sizes = {member.name: member.rows for member in code_llama.members}
    for name, epochs in EPOCHS.items():
        assert counts[name] / sizes[name] == pytest.approx(epochs, rel=1e-3)


def test_the_python_stage_goes_on_where_sources_stood(code_llama):
    first, both = code_llama.counts(rows(500e9)), code_llama.counts(rows(500e9) + rows(100e9))
    assert code_llama.length == rows(500e9) + rows(100e9)
    for name, share in PYTHON.items():
        assert abs(both[name] - first[name] - share * rows(100e9)) < 1
    assert both["python"] / rows(75e9 / 3.69) == pytest.approx(3.69, rel=1e-3)


def test_long_contexts_are_a_stream_of_their_own():
    """20 B tokens in rows of 16,384: 10,000 steps of 2 M tokens are 122 rows each."""
    order = Order((Member("long", 500_000),), (Stage({"long": 1}, rows(20e9, 16384)),), seed=1)
    assert order.length == 1_220_703
    assert order.length // 10_000 == 122
    assert order.counts(1_220_703) == {"long": 1_220_703}


def test_codegens_curriculum_has_one_source_after_the_other():
    """NL, then Multi, then Mono: 350 k, 150 k and 150 k steps of 1,024 rows of 2,048.

    The first two are in jaxformer's configurations (codegen_350M_nl, codegen_350M_multi); Mono's is not verified.
    """
    steps = {"nl": 350_000, "multi": 150_000, "mono": 150_000}
    members = tuple(Member(name, 10_000_000) for name in steps)
    stages = tuple(Stage({name: 1}, count * 1024) for name, count in steps.items())
    order = Order(members, stages, seed=42)
    assert order.length == 1024 * 650_000
    at, seen = 0, dict.fromkeys(steps, 0)
    for number, (name, count) in enumerate(steps.items()):
        for first in (at, at + count * 1024 - 3):
            assert {*order.locate(first, 3)[0].tolist()} == {number}
        at += count * 1024
        seen[name] = count * 1024
        assert order.counts(at) == seen
