"""Recordings: what is written is read back, whatever interrupted the writing."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import EnvironmentProblem, InputError
from instruct.models.prompt import Answer, ModelConfig, Prompt, answer_key
from instruct.models.recording import Recording, record_answers, write_requests
from instruct.models.reply import Reply
from tests.instruct.models.chatserver import completion

ASKED = ModelConfig("m", temperature=0.2, top_p=0.95, max_tokens=16, seed=5, samples=2)
KEYS = [f"{n:064x}" for n in range(8)]


def filled(path, count=3):
    recording = Recording(path, writable=True)
    for n in range(count):
        recording.add(KEYS[n], Reply(f"text {n}", "", n, 2 * n, "stop"), model="m")
    recording.close()


def test_read_back(tmp_path):
    filled(tmp_path / "deep" / "r.jsonl")
    recording = Recording(tmp_path / "deep" / "r.jsonl")
    assert len(recording) == 3
    assert recording.get(KEYS[2]) == Reply("text 2", "", 2, 4, "stop")
    assert KEYS[3] not in recording
    assert recording.get(KEYS[3]) is None
    assert [reply.text for reply in recording.replies()] == ["text 0", "text 1", "text 2"]
    assert recording.unusable == 0


def test_reading_while_writing_sees_what_was_added(tmp_path):
    filled(tmp_path / "r.jsonl")
    recording = Recording(tmp_path / "r.jsonl", writable=True)
    for n in range(3, 6):
        recording.add(KEYS[n], Reply(f"later {n}"))
        assert recording.get(KEYS[n]).text == f"later {n}"
        assert recording.get(KEYS[0]).text == "text 0"


def test_the_first_of_equal_keys_counts(tmp_path):
    filled(tmp_path / "r.jsonl", 1)
    recording = Recording(tmp_path / "r.jsonl", writable=True)
    recording.add(KEYS[0], Reply("other"))
    recording.close()
    with (tmp_path / "r.jsonl").open("ab") as sink:
        sink.write(orjson.dumps({"key": KEYS[0], "text": "third"}) + b"\n")
    assert Recording(tmp_path / "r.jsonl").get(KEYS[0]).text == "text 0"


def test_an_append_cut_at_any_byte_loses_that_answer_only(tmp_path):
    filled(tmp_path / "whole.jsonl", 2)
    whole = (tmp_path / "whole.jsonl").read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole)):
        path = tmp_path / "cut.jsonl"
        path.write_bytes(whole[:cut])
        recording = Recording(path, writable=True)
        assert recording.unusable == 0
        assert KEYS[0] in recording
        complete = cut == len(whole) - 1
        assert (KEYS[1] in recording) == complete
        recording.add(KEYS[2], Reply("new"))
        assert recording.get(KEYS[2]).text == "new"
        recording.close()
        after = [json.loads(line)["key"] for line in path.read_text().splitlines()]
        assert after == [KEYS[0], *([KEYS[1]] if complete else []), KEYS[2]]


def test_a_half_line_is_left_alone_by_readers(tmp_path):
    filled(tmp_path / "r.jsonl", 2)
    data = (tmp_path / "r.jsonl").read_bytes()[:-9]
    (tmp_path / "r.jsonl").write_bytes(data)
    recording = Recording(tmp_path / "r.jsonl")
    assert (len(recording), recording.unusable) == (1, 1)
    assert (tmp_path / "r.jsonl").read_bytes() == data


def test_lines_that_are_no_answers_are_counted(tmp_path):
    bad = [
        b"nonsense",
        b"[]",
        b'{"key": "short", "text": ""}',
        b'{"text": "x"}',
        orjson.dumps({"key": KEYS[1]}),
        orjson.dumps({"key": KEYS[1], "text": 3}),
        orjson.dumps({"key": "G" * 64, "text": ""}),
        b"\xff",
    ]
    good = orjson.dumps({"key": KEYS[0], "text": "ok", "tokens_in": "many", "problem": 3})
    (tmp_path / "r.jsonl").write_bytes(b"\n".join([*bad, b"", good]) + b"\n")
    recording = Recording(tmp_path / "r.jsonl")
    assert recording.unusable == len(bad)
    assert recording.get(KEYS[0]) == Reply("ok")


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "r.jsonl").write_text('{"instruction": "x"}\n')
    with pytest.raises(InputError, match="none of its 1 lines"):
        Recording(tmp_path / "r.jsonl")
    with pytest.raises(InputError, match="cannot be opened"):
        Recording(tmp_path / "absent.jsonl")
    with pytest.raises(InputError, match="cannot be opened"):
        Recording(tmp_path, writable=True)


def test_an_empty_file_is_a_recording_of_nothing(tmp_path):
    (tmp_path / "r.jsonl").write_text("")
    assert len(Recording(tmp_path / "r.jsonl")) == 0


def test_one_process_writes(tmp_path):
    first = Recording(tmp_path / "r.jsonl", writable=True)
    with pytest.raises(EnvironmentProblem, match="another process"):
        Recording(tmp_path / "r.jsonl", writable=True)
    first.close()
    first.close()
    Recording(tmp_path / "r.jsonl", writable=True).close()


def test_a_recorded_nul_is_a_problem(tmp_path):
    (tmp_path / "r.jsonl").write_bytes(orjson.dumps({"key": KEYS[0], "text": "a\0b", "tokens_in": 4}))
    assert Recording(tmp_path / "r.jsonl").get(KEYS[0]) == Reply("", "nul", 4)


def test_the_output_of_a_batch_is_a_recording(tmp_path):
    """Request lines as the batch API documents them; an answer line carries the request's custom_id."""
    prompts = [Prompt("a", (("user", "one"),)), Prompt("b", (("user", "two"),))]
    assert write_requests(tmp_path / "in.jsonl", prompts, ASKED) == 4
    lines = [json.loads(line) for line in (tmp_path / "in.jsonl").read_text().splitlines()]
    assert {(line["method"], line["url"]) for line in lines} == {("POST", "/v1/chat/completions")}
    assert [line["body"]["seed"] for line in lines] == [5, 6, 5, 6]
    out = [
        {
            "custom_id": line["custom_id"],
            "response": {"status_code": 200, "body": json.loads(completion(f"answer {n}"))},
        }
        for n, line in enumerate(lines)
    ]
    out[3]["response"] = {"status_code": 500, "body": None}
    (tmp_path / "out.jsonl").write_text("".join(json.dumps(line) + "\n" for line in reversed(out)))
    recording = Recording(tmp_path / "out.jsonl")
    assert recording.get(answer_key(prompts[1], ASKED, 0)) == Reply("answer 2", "", 7, 3, "stop")
    assert recording.get(answer_key(prompts[1], ASKED, 1)).problem == "not_json"


def test_answers_from_elsewhere_can_be_recorded(tmp_path):
    prompt = Prompt("a", (("user", "one"),))
    assert (
        record_answers(tmp_path / "r.jsonl", [prompt], ASKED, [Answer("a", 1, "yes", "", "m", 3, 4, "stop")])
        == 1
    )
    assert Recording(tmp_path / "r.jsonl").get(answer_key(prompt, ASKED, 1)) == Reply("yes", "", 3, 4, "stop")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), max_size=8))
def test_any_text_survives(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("r") / "r.jsonl"
    recording = Recording(path, writable=True)
    for key, text in zip(KEYS, texts, strict=False):
        recording.add(key, Reply(text))
    recording.close()
    back = Recording(path) if texts else None
    assert [back.get(key).text for key in KEYS[: len(texts)]] == texts
