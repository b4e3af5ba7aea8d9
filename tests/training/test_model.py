from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

import torch

from training.model import ModelConfig, Transformer, loss_sum, rows_of, targets, visible

SHAPE = ModelConfig(vocab_size=50, width=16, layers=2, heads=2)


def a_row(*lengths: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """One row of documents of such lengths."""
    total = sum(lengths)
    ids = torch.randint(0, 50, (1, total), generator=torch.Generator().manual_seed(seed))
    segments = torch.cat([torch.full((n,), at) for at, n in enumerate(lengths)])[None]
    positions = torch.cat([torch.arange(n) for n in lengths])[None]
    return {"ids": ids, "segments": segments, "positions": positions}


def logits(row, model=None):
    with torch.no_grad():
        return (model or Transformer(SHAPE))(row["ids"], row["segments"], row["positions"])


def test_shape_and_first_loss():
    row = a_row(12)
    assert logits(row).shape == (1, 12, 50)
    total, count = loss_sum(Transformer(SHAPE), row)
    assert count == 11
    assert total.item() / 11 == pytest.approx(float(torch.tensor(50.0).log()), rel=0.05)


def test_tokens_in_and_out_share_one_matrix():
    names = [name for name, _ in Transformer(SHAPE).named_parameters()]
    assert sum("token" in name for name in names) == 1
    assert not any("head" in name for name in names)


def test_the_seed_decides_the_weights():
    one, two, other = (Transformer(SHAPE, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["token.weight"], other["token.weight"])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=4), st.integers(0, 10**6), st.integers(0, 10**6))
def test_no_document_sees_another_and_no_token_a_later_one(lengths, seed, chosen):
    """Changing one token changes no logit before it, and none of another document."""
    row = a_row(*lengths, seed=seed)
    at = chosen % sum(lengths)
    changed = dict(row, ids=row["ids"].clone())
    changed["ids"][0, at] = (row["ids"][0, at] + 1) % 50
    same = (logits(row) == logits(changed)).all(dim=-1)[0]
    segments = row["segments"][0]
    touched = (segments == segments[at]) & (torch.arange(len(segments)) >= at)
    assert same[~touched].all()
    assert not same[at]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(0, 10**6))
def test_a_packed_row_is_its_documents_alone(lengths, seed):
    row = a_row(*lengths, seed=seed)
    model, whole = Transformer(SHAPE), []
    for part in torch.unique(row["segments"]).tolist():
        mine = row["segments"][0] == part
        whole.append(logits({name: held[:, mine] for name, held in row.items()}, model))
    assert torch.allclose(torch.cat(whole, dim=1), logits(row, model), atol=1e-5)


def test_only_the_distance_of_positions_counts():
    row = a_row(9)
    moved = dict(row, positions=row["positions"] + 100)
    assert torch.allclose(logits(row), logits(moved), atol=1e-4)
    stretched = dict(row, positions=row["positions"] * 3)
    assert not torch.allclose(logits(row), logits(stretched), atol=1e-4)


def test_padding_has_no_target_and_gives_numbers():
    segments = torch.tensor([[-1, -1, 0, 0, 1, -1]])
    ids = torch.arange(6)[None]
    assert targets(ids, segments).tolist() == [[-100, -100, 3, -100, -100, -100]]
    assert torch.isfinite(logits({"ids": ids, "segments": segments, "positions": ids})).all()


def test_a_batch_without_targets_costs_nothing():
    row = a_row(1, 1, 1)
    total, count = loss_sum(Transformer(SHAPE), row)
    assert (total.item(), count.item()) == (0.0, 0)


def slow_visible(segments):
    length = len(segments)
    return [[j <= i and segments[i] == segments[j] for j in range(length)] for i in range(length)]


@given(st.lists(st.integers(-1, 2), min_size=1, max_size=8))
def test_visible_is_its_slow_twin(segments):
    assert visible(torch.tensor([segments]))[0, 0].tolist() == slow_visible(segments)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-1, 2)), min_size=1, max_size=8))
def test_targets_are_the_next_id_of_the_same_segment(tokens):
    ids, segments = zip(*tokens, strict=True)
    expected = [
        ids[at + 1] if at + 1 < len(ids) and segments[at] == segments[at + 1] != -1 else -100
        for at in range(len(ids))
    ]
    assert targets(torch.tensor([ids]), torch.tensor([segments])).tolist() == [expected]


def test_rows_are_cut_and_nothing_is_left_out():
    batch = {name: torch.arange(24).view(2, 12) for name in ("input_ids", "segment_ids", "position_ids")}
    rows = rows_of(batch, 4)
    assert {name: tuple(held.shape) for name, held in rows.items()} == {
        "ids": (6, 4), "segments": (6, 4), "positions": (6, 4)
    }  # fmt: skip
    assert rows["ids"].flatten().tolist() == list(range(24))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("layers", 0, "layers: expected at least 1, got 0"),
        ("width", 18, "width: expected a multiple of 8, got 18"),
        ("vocab_size", 0, "vocab_size: expected at least 1, got 0"),
    ],
)
def test_impossible_shapes_are_refused(name, value, said):
    with pytest.raises(ValueError, match=said):
        ModelConfig(**({"vocab_size": 50} | {name: value}))
