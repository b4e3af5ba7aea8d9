"""Recordings: answers in a file of JSON lines, so that nothing is asked, or paid for, twice."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from columns.errors import EnvironmentProblem, InputError
from instruct.models.prompt import Answer, ModelConfig, Prompt, answer_key, request_body
from instruct.models.reply import MAX_BODY, Reply, read_body

_KEY_CHARACTERS = 64


class Recording:
    """A file of recorded responses, read by key; append-only while a live endpoint writes into it.

    A line is ``{"key", "text", "tokens_in", "tokens_out", "problem", "finish", ...}`` as written here, or a line of
    the output of OpenAI's batch format, whose ``custom_id`` is the key (`write_requests` makes the input). Of equal
    keys the first line counts. Lines that are neither are counted in ``unusable``. Only keys are held in memory.

    ``writable`` makes the file if need be, keeps it for one process, and removes what an interrupted write left: a last
    line without its end. `InputError` for a file that is not there or holds no usable line, `EnvironmentProblem` when
    another process writes into it.
    """

    def __init__(self, path: str | Path, *, writable: bool = False) -> None:
        self.path = Path(path)
        self.unusable = 0
        self._places: dict[bytes, int] = {}
        self._turn = threading.Lock()
        self._sink: Any = self._locked() if writable else None
        self._index()
        self._file = self._opened("rb")
        if not writable and self.unusable and not self._places:
            raise InputError(
                f"{self.path}: none of its {self.unusable:,} lines is a recorded response",
                hint='expected JSON lines {"key": …, "text": …, "tokens_in": …, "tokens_out": …}',
            )

    def _opened(self, mode: str) -> Any:
        try:
            return self.path.open(mode)
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be opened: {error.strerror}",
                hint="expected a file of recorded responses",
            ) from None

    def _locked(self) -> Any:
        """The file opened for appending, by this process alone."""
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = self._opened("ab")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            raise EnvironmentProblem(
                f"{self.path}: another process records into it",
                hint="wait for it, or record into another file",
            ) from None
        return handle

    def _index(self) -> None:
        start = 0
        with self._opened("rb") as source:
            while line := source.readline(2 * MAX_BODY):
                row, half = _parsed(line), not line.endswith(b"\n")
                if row is not None:
                    self._places.setdefault(bytes.fromhex(_key(row)), start)
                elif line.strip() and not (half and self._sink):
                    self.unusable += 1
                if half and self._sink and source.read(1) == b"":
                    self._mend(start if row is None else None)
                start += len(line)

    def _mend(self, start: int | None) -> None:
        """End the file with a whole line: cut off the half one that starts there, or add the line end that it lacks."""
        if start is None:
            self._append(b"\n")
        else:
            self._sink.truncate(start)

    def _append(self, data: bytes) -> None:
        written = 0
        while written < len(data):
            written += os.write(self._sink.fileno(), data[written:])

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: str) -> bool:
        return bytes.fromhex(key) in self._places

    def get(self, key: str) -> Reply | None:
        """The answer of a key, or None."""
        with self._turn:
            place = self._places.get(bytes.fromhex(key))
            if place is None:
                return None
            self._file.seek(place)
            row = _parsed(self._file.readline(2 * MAX_BODY))
        if row is None:
            raise InputError(
                f"{self.path}: changed while it was read", hint="leave the file alone and run again"
            )
        return _reply(row)

    def replies(self) -> Iterator[Reply]:
        """All answers, one per key, in the order of the file."""
        return (reply for key in list(self._places) if (reply := self.get(key.hex())) is not None)

    def add(self, key: str, reply: Reply, **more: Any) -> None:
        """Append an answer as one whole line; a key that is there already is left alone."""
        row = {"key": key, **vars(reply), **more}
        line = orjson.dumps(row, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
        with self._turn:
            if bytes.fromhex(key) not in self._places:
                place = os.fstat(self._sink.fileno()).st_size
                self._append(line)
                self._places[bytes.fromhex(key)] = place

    def close(self) -> None:
        """Close the file; what was written is on the disk afterwards."""
        if self._sink is not None and not self._sink.closed:
            os.fsync(self._sink.fileno())
            self._sink.close()
        self._file.close()


def write_requests(path: str | Path, prompts: Iterable[Prompt], config: ModelConfig) -> int:
    """Write prompts as input lines of the batch format of OpenAI's API, which other servers take too; returns lines.

    The file of answers that such a batch gives is a file of recorded responses.
    """
    count = 0
    with Path(path).open("wb") as sink:
        for prompt in prompts:
            for sample_ix in range(config.samples):
                sink.write(
                    orjson.dumps(_request(prompt, config, sample_ix), option=orjson.OPT_APPEND_NEWLINE)
                )
                count += 1
    return count


def record_answers(
    path: str | Path, prompts: list[Prompt], config: ModelConfig, answers: list[Answer]
) -> int:
    """Record answers that were got in another way, of ``prompts`` by their ids; returns how many the file holds."""
    by_id = {prompt.id: prompt for prompt in prompts}
    recording = Recording(path, writable=True)
    for answer in answers:
        reply = Reply(answer.text, answer.problem, answer.tokens_in, answer.tokens_out, answer.finish)
        recording.add(answer_key(by_id[answer.prompt_id], config, answer.sample_ix), reply)
    recording.close()
    return len(recording)


def _request(prompt: Prompt, config: ModelConfig, sample_ix: int) -> dict[str, object]:
    return {
        "custom_id": answer_key(prompt, config, sample_ix),
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": request_body(prompt, config, sample_ix),
    }


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    usable = (
        isinstance(row, dict) and _is_key(_key(row)) and (_is_batch(row) or isinstance(row.get("text"), str))
    )
    return row if usable else None


def _key(row: dict[str, Any]) -> Any:
    return row.get("custom_id" if _is_batch(row) else "key")


def _is_batch(row: dict[str, Any]) -> bool:
    return isinstance(row.get("response"), dict)


def _is_key(key: Any) -> bool:
    return isinstance(key, str) and len(key) == _KEY_CHARACTERS and set(key) <= set("0123456789abcdef")


def _reply(row: dict[str, Any]) -> Reply:
    if _is_batch(row):
        return read_body(row["response"].get("body"))
    counts = _count(row, "tokens_in"), _count(row, "tokens_out")
    if "\0" in row["text"]:
        return Reply("", "nul", *counts)
    return Reply(row["text"], _word(row, "problem"), *counts, _word(row, "finish"))


def _word(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return value[:100] if isinstance(value, str) else ""


def _count(row: dict[str, Any], name: str) -> int:
    value = row.get(name)
    return value if type(value) is int and 0 <= value < 1 << 31 else 0
