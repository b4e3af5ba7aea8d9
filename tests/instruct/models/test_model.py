"""Models over a loopback server that misbehaves, and over recordings."""

from __future__ import annotations

import json
import pickle
import threading
from dataclasses import replace

import pytest

from columns.errors import EnvironmentProblem, InputError
from instruct.models import Access, Budget, Endpoint, ModelConfig, Patience, Prompt, open_model
from instruct.models.model import DEAD_AFTER
from tests.instruct.models.chatserver import (
    body,
    completion,
    flood,
    half,
    hang,
    reset,
    serving,
    status,
    unmeasured_half,
)

ASKED = ModelConfig("m", temperature=0.2, top_p=0.95, max_tokens=16, seed=5)
SECRET = "sk-very-secret-93f1"


@pytest.fixture
def server():
    with serving() as state:
        yield state


def prompts(count: int) -> list[Prompt]:
    return [Prompt(f"p{n}", (("user", f"question {n}"),)) for n in range(count)]


def opened(server, config=ASKED, **options):
    waits: list[float] = []
    said: list[str] = []
    patience = options.pop("patience", Patience(connections=1, attempts=4, seconds=5))
    access = Access(patience=patience, say=said.append, wait=waits.append, **options)
    model = open_model(server if isinstance(server, str) else server.url, config, access)
    return model, waits, said


def test_answers_come_in_order_of_prompts_and_samples(server):
    model, waits, said = opened(server, replace(ASKED, samples=2), patience=Patience(connections=7))
    with model:
        answers = model.answer(prompts(9))
    assert [(a.prompt_id, a.sample_ix, a.text) for a in answers] == [
        (f"p{n}", ix, f"QUESTION {n}") for n in range(9) for ix in (0, 1)
    ]
    assert {(a.model, a.problem, a.tokens_in, a.tokens_out, a.finish) for a in answers} == {
        ("m", "", 7, 3, "stop")
    }
    assert waits == []
    assert said == [f"m: 18 requests, 216 tokens in, 288 out at most, {server.url}"]
    assert sorted(asked["seed"] for asked in server.asked) == [5] * 9 + [6] * 9
    assert set(server.paths) == {"/v1/chat/completions"}


def test_connections_are_bounded(server):
    server.tricks = [hang(0.05)] * 12
    model, *_ = opened(server, patience=Patience(connections=3))
    model.answer(prompts(12))
    assert 2 <= server.most_open <= 3


def test_a_question_asked_twice_is_asked_once(server):
    model, *_ = opened(server)
    same = [Prompt("a", (("user", "x"),)), Prompt("b", (("user", "x"),))]
    assert [(a.prompt_id, a.text) for a in model.answer(same)] == [("a", "X"), ("b", "X")]
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "trick",
    [
        status(429),
        status(500),
        status(502),
        status(503),
        status(408),
        reset,
        half,
        unmeasured_half,
        body(b"<html>"),
    ],
)
def test_what_passes_is_tried_again(server, trick):
    server.tricks = [trick, trick]
    model, waits, _ = opened(server)
    assert [a.text for a in model.answer(prompts(1))] == ["QUESTION 0"]
    assert len(server.asked) == 3
    assert 0.5 <= waits[0] <= 1
    assert 1 <= waits[1] <= 2


def test_a_timeout_is_tried_again(server):
    server.tricks = [hang(1.0)]
    model, waits, _ = opened(server, patience=Patience(connections=1, attempts=2, seconds=0.2))
    assert model.answer(prompts(1))[0].text == "QUESTION 0"
    assert len(waits) == 1


def test_retry_after_is_honoured(server):
    server.tricks = [status(429, Retry_After="17"), status(503, Retry_After="0")]
    model, waits, _ = opened(server)
    model.answer(prompts(1))
    assert waits == [17.0, 0.0]


def test_a_wait_that_is_too_long_stops_the_run(server):
    server.tricks = [status(429, Retry_After="86400")]
    model, waits, _ = opened(server)
    with pytest.raises(EnvironmentProblem, match="asks for a wait of 86,400 s"):
        model.answer(prompts(1))
    assert waits == []


def test_what_never_works_is_marked_and_asked_again_next_time(server, tmp_path):
    server.tricks = [status(500)] * 4
    model, *_ = opened(server, record=tmp_path / "r.jsonl")
    with model:
        assert [(a.text, a.problem) for a in model.answer(prompts(2))] == [("", "failed"), ("QUESTION 1", "")]
    model, *_ = opened(server, record=tmp_path / "r.jsonl")
    with model:
        assert [a.text for a in model.answer(prompts(2))] == ["QUESTION 0", "QUESTION 1"]
    assert len(server.asked) == 4 + 1 + 1


@pytest.mark.parametrize(
    ("trick", "problem"),
    [
        (flood, "too_large"),
        (body(completion("x\0y")), "nul"),
        (body(completion(None)), "no_text"),
        (body(b"{}"), "choices"),
        (body(completion("x", choices=[{"message": {"content": "a"}}] * 3)), "choices"),
        (status(400), "refused"),
        (status(413), "refused"),
    ],
)
def test_hostile_answers_are_marked_recorded_and_not_paid_for_twice(server, tmp_path, trick, problem):
    server.tricks = [trick]
    model, waits, _ = opened(server, record=tmp_path / "r.jsonl")
    with model:
        first = model.answer(prompts(2))
    assert [(a.text, a.problem) for a in first] == [("", problem), ("QUESTION 1", "")]
    assert waits == []
    assert len(server.asked) == 2
    with open_model(tmp_path / "r.jsonl", ASKED) as again:
        assert again.answer(prompts(2)) == first


@pytest.mark.parametrize(
    ("trick", "said"),
    [
        (status(401), "401"),
        (status(403), "403"),
        (status(404), "404"),
        (status(302, Location="http://127.0.0.1:9/steal"), "redirects"),
        (status(307, Location="/v2/chat/completions"), "redirects"),
        (status(204), "204"),
    ],
)
def test_what_the_user_must_mend_stops_the_run(server, trick, said):
    server.tricks = [trick] * 9
    model, *_ = opened(server)
    with pytest.raises(EnvironmentProblem, match=said) as caught:
        model.answer(prompts(5))
    assert caught.value.hint
    assert len(server.asked) == 1


def test_a_server_that_is_not_there():
    with serving() as gone:
        url = gone.url
    model, waits, _ = opened(url)
    with pytest.raises(EnvironmentProblem, match=f"{DEAD_AFTER} requests in a row had no answer"):
        model.answer(prompts(40))
    assert len(waits) == 3 * DEAD_AFTER


def test_a_server_that_refuses_everything_records_nothing(server, tmp_path):
    server.tricks = [status(400)] * 99
    model, *_ = opened(server, record=tmp_path / "r.jsonl")
    with model, pytest.raises(EnvironmentProblem, match="last: refused"):
        model.answer(prompts(40))
    assert (tmp_path / "r.jsonl").read_bytes() == b""


def test_a_budget_stops_cleanly_and_the_rest_is_asked_later(server, tmp_path):
    record = tmp_path / "r.jsonl"
    model, *_ = opened(server, record=record, budget=Budget(max_requests=4))
    with model, pytest.raises(EnvironmentProblem, match="budget of 4 requests is reached"):
        model.answer(prompts(6))
    assert len(server.asked) == 4
    model, *_ = opened(server, record=record, budget=Budget(max_requests=4))
    with model, pytest.raises(EnvironmentProblem, match="budget"):
        model.answer(prompts(6))
    assert len(server.asked) == 4
    model, _, said = opened(server, record=record, budget=Budget(max_requests=6))
    with model:
        assert [a.text for a in model.answer(prompts(6))] == [f"QUESTION {n}" for n in range(6)]
    assert len(server.asked) == 6
    assert said[0].startswith("m: 2 requests")
    sent = [asked["messages"][0]["content"] for asked in server.asked]
    assert sorted(sent) == [f"question {n}" for n in range(6)]


def test_a_budget_of_tokens_counts_what_came_back_not_what_might(server):
    model, *_ = opened(server, budget=Budget(max_tokens=50))
    with pytest.raises(EnvironmentProblem, match="50 tokens"):
        model.answer(prompts(9))
    assert len(server.asked) == 3
    assert model.meter.spent.tokens_in + model.meter.spent.tokens_out == 30


def test_where_a_server_counts_no_tokens_the_estimate_counts(server):
    server.tricks = [body(completion("abcdef", usage=None))]
    model, *_ = opened(server)
    answer = model.answer(prompts(1))[0]
    assert (answer.tokens_in, answer.tokens_out) == (12, 10)


def test_the_estimate_sends_nothing_and_leaves_out_what_is_recorded(server, tmp_path):
    model, *_ = opened(
        server, replace(ASKED, samples=3), record=tmp_path / "r.jsonl", budget=Budget(price_in=1, price_out=1)
    )
    with model:
        assert model.estimate(prompts(2)).requests == 6
        assert model.estimate(prompts(2)).price == pytest.approx(6 * (12 + 16) / 1e6)
        assert server.asked == []
        model.answer(prompts(1))
        assert model.estimate(prompts(2)).requests == 3


def test_a_killed_run_goes_on_where_it_was(server, tmp_path):
    """The answers up to any request stand in the file when it is sent."""
    record = tmp_path / "r.jsonl"

    def lines(handler, text):
        seen.append(record.read_bytes().count(b"\n"))
        handler.reply(200, completion(text))

    seen: list[int] = []
    server.tricks = [lines] * 5
    model, *_ = opened(server, record=record)
    with model:
        model.answer(prompts(5))
    assert seen == [0, 1, 2, 3, 4]
    record.write_bytes(record.read_bytes()[:-20])
    model, *_ = opened(server, record=record)
    with model:
        model.answer(prompts(5))
    assert len(server.asked) == 6


def test_a_recording_answers_as_the_endpoint_did(server, tmp_path):
    model, *_ = opened(
        server, replace(ASKED, samples=3), record=tmp_path / "r.jsonl", patience=Patience(connections=5)
    )
    with model:
        live = model.answer(prompts(7))
    with open_model(tmp_path / "r.jsonl", replace(ASKED, samples=3)) as recorded:
        assert recorded.answer(prompts(7)) == live
        assert recorded.estimate(prompts(9)).requests == 0
        more = recorded.answer(prompts(8))
    assert more[:21] == live
    assert {(a.text, a.problem) for a in more[21:]} == {("", "not_recorded")}


def test_the_key_is_in_the_header_and_nowhere_else(server, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("MY_KEY", SECRET)
    server.tricks = [
        lambda handler, _: handler.reply(200, completion(f"you sent {handler.headers['Authorization']}")),
        None,
        lambda handler, _: handler.reply(418, f'{{"error": "bad key {SECRET}"}}'.encode()),
    ]
    model, _, said = opened(server, record=tmp_path / "r.jsonl", key_variable="MY_KEY")
    with model, pytest.raises(EnvironmentProblem, match="418") as caught:
        model.answer(prompts(3))
    assert [h["Authorization"] for h in server.headers] == [f"Bearer {SECRET}"] * 3
    recorded = (tmp_path / "r.jsonl").read_text()
    assert [json.loads(line)["problem"] for line in recorded.splitlines()] == ["holds_key", ""]
    shown = "".join(
        [recorded, str(caught.value), repr(caught.value), *said, repr(model), *capfd.readouterr()]
    )
    assert SECRET not in shown
    with pytest.raises(TypeError):
        pickle.dumps(model.endpoint)


def test_without_a_key_no_header(server):
    model, *_ = opened(server)
    model.answer(prompts(1))
    assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize("value", [None, "", "  ", "two words", "schlüssel", "a\nb"])
def test_variables_without_a_usable_key(value, monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)
    with pytest.raises(InputError, match="MY_KEY: holds no key"):
        Endpoint("http://127.0.0.1:1/v1", key_variable="MY_KEY")


def test_a_key_does_not_travel_unencrypted(monkeypatch):
    monkeypatch.setenv("MY_KEY", SECRET)
    with pytest.raises(InputError, match="unencrypted") as caught:
        Endpoint("http://models.example/v1", key_variable="MY_KEY")
    assert SECRET not in str(caught.value)
    Endpoint("https://models.example/v1", key_variable="MY_KEY")
    Endpoint("http://models.example/v1")
    Endpoint("http://[::1]:8000/v1", key_variable="MY_KEY")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/v1",
        "file:///etc/passwd",
        "http://",
        "http:///v1",
        "http://host:99999/v1",
        "http://me:pw@host/v1",
        "https://host/v1?key=abc",
        "http://[::1/v1",
    ],
)
def test_addresses_that_are_no_endpoints(url):
    with pytest.raises(InputError) as caught:
        Endpoint(url)
    assert "pw" not in str(caught.value)


def test_an_address_may_be_written_to_its_end(server):
    server.url += "/chat/completions"
    model, *_ = opened(server)
    model.answer(prompts(1))
    assert server.paths == ["/v1/chat/completions"]


@pytest.mark.parametrize("options", [{"connections": 0}, {"attempts": 0}, {"seconds": 0}])
def test_patience_that_means_nothing(options):
    with pytest.raises(InputError):
        Patience(**options)


def test_connections_are_kept_open(server):
    ports = set()
    server.tricks = [
        lambda handler, text: (ports.add(handler.client_address[1]), handler.reply(200, completion(text)))[1]
    ] * 6
    model, *_ = opened(server)
    model.answer(prompts(6))
    assert len(ports) == 1


def test_an_interrupt_stops_asking(server, tmp_path, monkeypatch):
    model, *_ = opened(server, record=tmp_path / "r.jsonl")
    monkeypatch.setattr(threading.Thread, "join", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        model.answer(prompts(300))
    assert len(server.asked) < 300
