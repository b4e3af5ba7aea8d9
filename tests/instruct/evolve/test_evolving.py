"""Evolving: rounds over a fake model."""

from __future__ import annotations

from collections import Counter

import pytest

from instruct.evolve import (
    EVOLVED,
    FORBIDDEN,
    METHODS,
    EvolveConfig,
    chosen_method,
    evolve,
    evolve_prompt,
    seed_prompts,
    seed_table,
)
from tests.instruct.models.doubles import FakeModel

SEEDS = seed_table("a", [{"instruction": text} for text in ("Add numbers.", "Sort words.", "  ", "Find it.")])


def harder(prompt, _ix):
    return f"{given(prompt)} Harder."


def given(prompt):
    return prompt.messages[-1][1].split("#Given Task#\n")[-1].split("\n\n#Rewritten")[0]


def test_rounds_build_on_each_other():
    model = FakeModel(harder)
    table, counts = evolve(SEEDS, model, EvolveConfig(rounds=2))
    assert table.schema == EVOLVED
    rows = table.to_pylist()
    assert [row["round"] for row in rows] == [0] * 4 + [1] * 3 + [2] * 3
    assert [row["instruction"] for row in rows if row["round"] == 2] == [
        "Add numbers. Harder. Harder.", "Sort words. Harder. Harder.", "Find it. Harder. Harder.",
    ]  # fmt: skip
    by_id = {row["id"]: row for row in rows}
    assert len(by_id) == 10
    for row in rows[4:]:
        assert by_id[row["parent_id"]]["round"] == row["round"] - 1
        assert row["method"] == chosen_method(row["parent_id"], row["round"], tuple(METHODS), 0)
        assert (row["model"], row["temperature"], row["seed"], row["dropped"]) == ("fake", 0.5, 3, None)
    assert [row["dropped"] for row in rows[:4]] == ["seed", "seed", "empty", "seed"]
    assert counts == {"round 1": 3, "round 2": 3}


def test_seeds_can_be_kept():
    table, _ = evolve(SEEDS, FakeModel(harder), EvolveConfig(rounds=1, keep_seeds=True))
    assert table["dropped"].to_pylist()[:4] == [None, None, "empty", None]


def test_no_rounds_ask_nothing():
    model = FakeModel(harder)
    table, _ = evolve(SEEDS, model, EvolveConfig(rounds=0))
    assert (table.num_rows, model.asked) == (4, [])
    assert seed_prompts(SEEDS, EvolveConfig(rounds=0)) == []


def test_the_estimate_is_about_what_the_first_round_asks():
    model = FakeModel(harder)
    evolve(SEEDS, model, EvolveConfig(rounds=1))
    assert seed_prompts(SEEDS, EvolveConfig()) == model.asked


@pytest.mark.parametrize(
    ("said", "dropped"),
    [
        ("failed", "no_answer"),
        ("  \n", "no_answer"),
        ("Here is the #Rewritten Task#: x", "forbidden"),
        ("I am sorry, I cannot.", "refusal"),
    ],
)
def test_an_answer_that_is_none_ends_its_line(said, dropped):
    model = FakeModel(lambda prompt, ix: said if "Sort" in given(prompt) else harder(prompt, ix))
    table, counts = evolve(SEEDS, model, EvolveConfig(rounds=3))
    assert Counter(row["dropped"] for row in table.to_pylist()[4:]) == {None: 6, dropped: 1}
    assert counts["round 2"] == 2
    assert counts["answer: failed"] == (said == "failed")


def test_several_samples_are_several_tasks():
    table, _ = evolve(
        SEEDS, FakeModel(lambda p, ix: f"{harder(p, ix)} {ix}", samples=2), EvolveConfig(rounds=2)
    )
    assert table["round"].to_pylist().count(2) == 12
    assert len(set(table["id"].to_pylist())) == table.num_rows
    assert set(table["seed"].to_pylist()) == {None, 3, 4}


@pytest.mark.parametrize("method", METHODS)
def test_the_prompt_has_the_published_parts(method):
    """PanGu-Coder2, figure 2: role, slightly harder, method, length, function, forbidden texts, both headers."""
    text = evolve_prompt("Sort {braces} well.", method)
    for part in (
        "programming contests",
        "slightly harder",
        METHODS[method],
        "about as long",
        "function",
        "Sort {braces} well.",
    ):
        assert part in text
    assert all(word in text.lower() for word in FORBIDDEN)
    assert text.endswith("#Rewritten Task#\n")


def test_all_methods_are_drawn_evenly():
    drawn = Counter(chosen_method(f"task-{n}", 1, tuple(METHODS), 0) for n in range(5000))
    assert set(drawn) == set(METHODS)
    assert max(drawn.values()) - min(drawn.values()) < 5 * (5000 * 0.2 * 0.8) ** 0.5 * 2
    again = [chosen_method(f"task-{n}", 2, tuple(METHODS), 0) for n in range(99)]
    assert again != [chosen_method(f"task-{n}", 1, tuple(METHODS), 0) for n in range(99)]


@pytest.mark.parametrize(
    "config", [{"methods": ()}, {"methods": ("constraint", "x")}, {"rounds": -1}, {"rounds": 21}]
)
def test_configurations_that_mean_nothing(config):
    with pytest.raises(ValueError, match="expected"):
        EvolveConfig(**config)
