from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest

pytest.importorskip("torch")

import torch
from rich.console import Console

from columns.errors import InputError
from training import ablate as command
from training.ablation import LIMITS, AblationConfig, Outcome, Trial, ablate
from training.evaluation import HeldOut
from training.learner import LearnConfig

LEARN = LearnConfig(steps=6, batch_size=4, width=16, layers=1, heads=2, warmup=2, rate=1e-2)
CODE = [f"def f{n}(x):\n    return x + {n}\n" for n in range(60)]
NOISE = [f"{n * 7919 % 997:x}{n * 104729 % 9973:o}~" * 4 for n in range(60)]
SMALL = ["--batch-size", "4", "--width", "16", "--layers", "1", "--heads", "2"]


@pytest.fixture(autouse=True)
def exact():
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def code(make_texts):
    return str(make_texts("code", CODE[:50], CODE[50:]))


@pytest.fixture
def noise(make_texts):
    return str(make_texts("noise", NOISE[:50], NOISE[50:]))


def test_code_teaches_code(code, noise):
    """The oracle of the whole: a dataset of noise is worse on code, seed by seed, and the interval says so."""
    learn = replace(LEARN, steps=30)
    found = ablate(AblationConfig((code, noise), (code,), seeds=(0, 1, 2), learn=learn))
    assert all(one < two for one, two in zip(found.bits(code, code), found.bits(noise, code), strict=True))
    assert found.difference(noise, code).low > 0
    assert found.held[code].text_bytes == sum(map(len, CODE[50:]))


def test_datasets_of_the_same_texts_learn_alike(code, make_texts):
    """Same texts in the same rows under other ids: only the order of rows may differ, and here there is one batch."""
    copy = str(make_texts("copy", CODE[:50], CODE[50:]))
    learn = replace(LEARN, steps=2, batch_size=200)
    found = ablate(AblationConfig((code, copy), (code,), seeds=(0, 1), learn=learn))
    assert found.trials[0].tokens == found.trials[1].tokens
    assert found.bits(code, code) == pytest.approx(found.bits(copy, code), rel=1e-3)


def test_the_same_twice_is_the_same(code, noise):
    config = AblationConfig((code, noise), seeds=(0, 1), learn=LEARN)
    assert ablate(config).to_dict() == ablate(config).to_dict()


def test_everything_is_told(code, noise):
    heard = []
    found = ablate(AblationConfig((code, noise), seeds=(4,), learn=LEARN), heard.append)
    assert [told["event"] for told in heard] == (["step"] * 6 + ["trial"]) * 2
    assert {told["seed"] for told in heard} == {4}
    trial = found.trials[0]
    assert set(trial.bits) == {code, noise}
    assert trial.tokens == sum(told["tokens"] for told in heard[:6])
    assert trial.last_loss == heard[5]["loss"]
    assert trial.epochs > 0


def test_held_out_documents_are_in_no_training_set(make_texts):
    """What is validation here and training there is left out for all."""
    one = str(make_texts("one", CODE[:40], CODE[40:50]))
    two = str(make_texts("two", CODE[:45], CODE[45:55]))
    found = ablate(AblationConfig((one, two), seeds=(0,), learn=LEARN))
    assert {name: (len(held.documents), held.known) for name, held in found.held.items()} == {
        one: (5, 5),
        two: (10, 0),
    }
    with pytest.raises(InputError, match="no validation documents to evaluate on: 10 are in a training set"):
        ablate(AblationConfig((one, str(make_texts("three", CODE, CODE[:5]))), learn=LEARN))


def test_other_tokenizers_and_rows_are_refused(code, make_texts, tmp_path):
    wide = str(make_texts("wide", CODE[:50], CODE[50:], seq_len=32))
    with pytest.raises(InputError, match=r"wide: cannot be compared with .*: seq_len 32, not 16"):
        ablate(AblationConfig((code, wide)))
    other = make_texts("other", CODE[:50], CODE[50:])
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["tokenizer"]["identity"] = "ab" * 32
    (other / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="tokenizer abab") as caught:
        ablate(AblationConfig((code, code + "/"), (str(other),)))
    assert "tokenizer.spec=tiktoken:" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"datasets": ("a",)}, "datasets: expected at least two different ones"),
        ({"datasets": ("a", "a")}, "datasets: expected at least two different ones"),
        ({"seeds": ()}, "seeds: expected different numbers"),
        ({"seeds": (1, 1)}, "seeds: expected different numbers"),
        ({"limit_bytes": 0}, "limit_bytes: expected at least 1, got 0"),
    ],
)
def test_impossible_ablations_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        AblationConfig(**({"datasets": ("a", "b")} | changes))


def outcome(bits, seeds=(0, 1, 2), epochs=0.5, tokens=1000):
    """An outcome of two datasets with such bits per byte, seed by seed."""
    config = AblationConfig(("build/raw", "build/cur"), ("build/raw",), seeds=seeds, learn=LEARN)
    trials = [
        Trial(name, seed, {"build/raw": value}, tokens, epochs, 2.0)
        for name, values in zip(config.datasets, bits, strict=True)
        for seed, value in zip(seeds, values, strict=True)
    ]
    return Outcome(config, {"build/raw": HeldOut([], 12345, known=7)}, trials)


def printed(found) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    command.render(found, console)
    return console.export_text()


def test_differences_are_paired_by_seed():
    """Seeds that differ much hide nothing when the datasets differ alike for each of them."""
    found = outcome([[3.0, 2.0, 1.0], [2.9, 1.8, 0.9]])
    assert found.interval("build/cur", "build/raw").low < 0
    difference = found.difference("build/cur", "build/raw")
    assert difference.mean == pytest.approx(-0.4 / 3)
    assert difference.high == pytest.approx(-0.4 / 3 + 4.3027 * 0.057735 / 3**0.5, abs=1e-5)


def test_the_table():
    said = printed(outcome([[3.0, 2.0, 1.0], [2.9, 1.8, 0.9]]))
    assert "6 steps, 1,000 tokens each, 3 seeds" in said
    assert "raw         2.0000  -0.4841 to 4.4841" in said
    assert "-0.1333" in said
    assert "12,345 bytes; left out: 7 in a training set, 0 repeated, 0 cut" in said
    for limit in LIMITS:
        assert limit[:40] in said


def test_weak_comparisons_say_so():
    one = printed(outcome([[2.0], [2.1]], seeds=(0,), epochs=1.5))
    assert "one seed gives no interval" in one
    assert "gone through more than once" in one
    assert "more than once" not in printed(outcome([[2.0, 2.1], [2.1, 2.2]], seeds=(0, 1)))


def test_the_command_line(code, noise, capsys):
    assert command.main([code, noise, "--seeds", "2", "--tokens", "256", *SMALL]) == 0
    said = capsys.readouterr().out
    assert "4 steps" in said
    assert said.count("bits per byte, held out of") == 2


def test_the_command_line_in_json(code, noise, capsys):
    assert (
        command.main(
            [code, noise, "--seeds", "2", "--steps", "3", "--seed", "7", "--held-out", code, "--json", *SMALL]
        )
        == 0
    )
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines].count("step") == 2 * 2 * 3
    last = lines[-1]
    assert last["event"] == "outcome"
    assert list(last["held_out"]) == [code]
    assert last["config"]["seeds"] == [7, 8]
    assert [set(one) for one in last["results"]] == [
        {"held_out", "dataset", "bits_per_byte"},
        {"held_out", "dataset", "bits_per_byte", "difference"},
    ]
    assert last["limits"] == list(LIMITS)


def test_mistakes_are_a_line(code, tmp_path, capsys):
    for words, said in (
        ([code], "error: datasets: expected at least two different ones"),
        ([code, code, "--seeds", "0"], "error: --seeds: expected at least 1, got 0"),
        ([str(tmp_path), code], "error: "),
    ):
        assert command.main(words) == 2
        assert capsys.readouterr().err.startswith(said)
