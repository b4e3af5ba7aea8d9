from __future__ import annotations

import pytest

from training import example

pytest.importorskip("torch")


def test_loss_goes_down(make_dataset):
    losses = list(example.train(str(make_dataset(train=(64,))), steps=20, batch_size=8, context=16))
    assert len(losses) == 20
    assert losses[-1] < 0.8 * losses[0]


def test_same_seed_same_losses(dataset):
    first, second = (list(example.train(str(dataset), steps=3, batch_size=4, context=8)) for _ in range(2))
    assert first == second


def test_command_line(dataset, capsys):
    assert example.main([str(dataset), "--steps", "3", "--batch-size", "4", "--context", "8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [["step", str(n), "loss"] for n in (1, 2, 3)]


def test_command_line_names_the_cure(tmp_path, capsys):
    assert example.main([str(tmp_path)]) == 2
    assert "hint: not a finished dataset" in capsys.readouterr().err
