"""How commands reach services: sizes, the access file, and the question before anything is billed."""

from __future__ import annotations

import pytest
import typer

from columns.errors import InputError
from pipelines.cli import access as cli
from pipelines.cli.access import access_of, byte_size
from sources import Estimate


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("10B", 10),
        ("1kb", 1000),
        ("1 KiB", 1024),
        ("1.5GiB", 3 << 29),
        ("2TB", 2 * 10**12),
        (" 3 TiB ", 3 << 40),
    ],
)
def test_sizes(text, size):
    assert byte_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1", "0", "1 PB", "1e999", "nan", "ten"])
def test_what_is_no_size(text):
    with pytest.raises(typer.BadParameter, match="expected a size such as 500GiB"):
        byte_size(text)


def test_the_limit_of_one_run_wins_over_the_file(tmp_path):
    file = tmp_path / "access.yaml"
    file.write_text("bigquery: {max_bytes_billed: 5, project: paying}")
    found = access_of(str(file), "1KiB", yes=True)
    assert found.services.bigquery.max_bytes_billed == 1024
    assert found.services.bigquery.project == "paying"
    assert access_of(str(file), None, yes=True).services.bigquery.max_bytes_billed == 5


@pytest.mark.parametrize("quiet", [True, False])
def test_yes_shows_the_cost_and_asks_nobody(capsys, quiet):
    confirm = access_of(None, None, yes=True, quiet=quiet).confirm
    assert confirm(Estimate("q", processed=1 << 40))
    assert ("q: 1.00 TiB" in capsys.readouterr().err) is not quiet


class Terminal:
    """A standard input with or without somebody at it."""

    def __init__(self, *, there: bool) -> None:
        self.there = there

    def isatty(self) -> bool:
        return self.there


def asked(monkeypatch, estimate, *, there, answer=True):
    monkeypatch.setattr(cli.sys, "stdin", Terminal(there=there))
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: answer)
    return access_of(None, None, yes=False).confirm(estimate)


@pytest.mark.parametrize("answer", [True, False])
def test_the_cost_is_shown_and_asked_for(monkeypatch, capsys, answer):
    assert asked(monkeypatch, Estimate("q", processed=1 << 40), there=True, answer=answer) is answer
    shown = capsys.readouterr().err
    assert "q: 1.00 TiB" in shown
    assert "USD" in shown


def test_nobody_to_ask(monkeypatch):
    with pytest.raises(InputError, match="nobody to ask") as caught:
        asked(monkeypatch, Estimate("q", processed=1), there=False)
    assert "--yes" in caught.value.hint


def test_what_costs_nothing_is_not_asked_for(monkeypatch):
    assert asked(monkeypatch, Estimate("q"), there=False) is True
