from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch

from columns.errors import OutputError
from training import checkpoint
from training.checkpoint import load_checkpoint, newest_checkpoint, save_checkpoint, sweep


def state(step):
    return {"step": step, "model": {"w": torch.arange(3.0)}, "loader": {"position": 7, "epochs": {"data": 0}}}


def test_a_state_comes_back(tmp_path):
    path = save_checkpoint(tmp_path / "new" / "folder", state(12), keep=2)
    assert path.name == "step-000000012.pt"
    found = load_checkpoint(path)
    assert torch.equal(found["model"].pop("w"), torch.arange(3.0))
    assert found == {"step": 12, "model": {}, "loader": {"position": 7, "epochs": {"data": 0}}}


def test_the_newest_stay(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    for step in (5, 10, 100):
        save_checkpoint(tmp_path, state(step), keep=2)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-000000010.pt", "step-000000100.pt"]
    assert newest_checkpoint(tmp_path).name == "step-000000100.pt"


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, state(1), keep=2)

    def dies(found, sink):
        sink.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.torch, "save", dies)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, state(2), keep=2)
    assert newest_checkpoint(tmp_path).name == "step-000000001.pt"
    assert len(list(tmp_path.iterdir())) == 2
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001.pt"]


def test_a_damaged_one_is_named(tmp_path):
    path = save_checkpoint(tmp_path, state(1), keep=1)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(OutputError, match=r"step-000000001\.pt: not a checkpoint") as caught:
        load_checkpoint(path)
    assert "remove the file" in str(caught.value.hint)


class Evil:
    def __reduce__(self):
        return print, ("run",)


def test_no_code_of_a_file_is_run(tmp_path, capsys):
    path = save_checkpoint(tmp_path, {"step": 1, "model": Evil()}, keep=1)
    with pytest.raises(OutputError, match="not a checkpoint"):
        load_checkpoint(path)
    assert capsys.readouterr().out == ""


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "step-notes.pt").touch()
    save_checkpoint(tmp_path, state(1), keep=1)
    save_checkpoint(tmp_path, state(2), keep=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000002.pt", "step-notes.pt"]
