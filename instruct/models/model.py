"""Models: prompts to answers, from a recording, from an endpoint, or from both."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from columns.errors import EnvironmentProblem
from instruct.models.budget import Budget, Cost, Meter, estimated_tokens, highest
from instruct.models.endpoint import Endpoint, Patience
from instruct.models.prompt import Answer, ModelConfig, Prompt, answer_key
from instruct.models.recording import Recording
from instruct.models.reply import Reply

DEAD_AFTER = 16
"""So many requests in a row without one usable answer, and the endpoint is taken for dead or misused."""

_NOT_KEPT = frozenset({"failed", "not_json"})


def say(message: str) -> None:
    """Tell the user, on standard error."""
    print(message, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Access:
    """How a model is reached: options, which change no byte of a dataset.

    ``key_variable`` names the environment variable with the endpoint's key; ``record`` is the file into which an
    endpoint's answers are recorded (a rerun asks only what it lacks); ``say`` is told the cost before anything is sent.
    """

    key_variable: str | None = None
    record: str | Path | None = None
    budget: Budget = field(default_factory=Budget)
    patience: Patience = field(default_factory=Patience)
    say: Callable[[str], None] = say
    wait: Callable[[float], object] = time.sleep


@dataclass
class Model:
    """A model that answers prompts; a context manager. Made by `open_model`."""

    config: ModelConfig
    recording: Recording | None
    endpoint: Endpoint | None
    access: Access
    meter: Meter = field(init=False)

    def __post_init__(self) -> None:
        self.meter = Meter(self.access.budget)
        for reply in self.recording.replies() if self.recording and self.endpoint else ():
            self.meter.spend(self.access.budget.cost(reply.tokens_in, reply.tokens_out))

    def answer(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """``config.samples`` answers for each prompt, in the order of prompts, then samples.

        Recorded answers are taken as they are; others are asked for, each once; without an endpoint they are marked
        ``not_recorded``. Content never raises: an answer's ``problem`` says why it has no text.
        `EnvironmentProblem` when the budget is reached or the endpoint does not work; what was answered is kept.
        """
        wanted = self._wanted(prompts)
        found = {key: reply for key in wanted if (reply := self._recorded(key)) is not None}
        if self.endpoint is not None and len(found) < len(wanted):
            missing = [asked for key, asked in wanted.items() if key not in found]
            self.access.say(f"{self.config.model}: {self.estimate(prompts)} at most, {self.endpoint.url}")
            found |= _Round(self, missing).run()
        nothing = Reply("", "not_recorded")
        return [
            self._answer(prompt, ix, found.get(answer_key(prompt, self.config, ix), nothing))
            for prompt in prompts
            for ix in range(self.config.samples)
        ]

    def estimate(self, prompts: Iterable[Prompt]) -> Cost:
        """The highest cost of what must still be asked, by the rule of `BYTES_PER_TOKEN`; nothing is sent."""
        missing = [] if self.endpoint is None else self._wanted(prompts).items()
        costs = (
            highest(prompt, self.config, self.access.budget)
            for key, (prompt, _) in missing
            if self.recording is None or key not in self.recording
        )
        return sum(costs, Cost())

    def _wanted(self, prompts: Iterable[Prompt]) -> dict[str, tuple[Prompt, int]]:
        return {
            answer_key(prompt, self.config, ix): (prompt, ix)
            for prompt in prompts
            for ix in range(self.config.samples)
        }

    def _recorded(self, key: str) -> Reply | None:
        return None if self.recording is None else self.recording.get(key)

    def _answer(self, prompt: Prompt, sample_ix: int, reply: Reply) -> Answer:
        return Answer(
            prompt.id,
            sample_ix,
            reply.text,
            reply.problem,
            self.config.model,
            reply.tokens_in,
            reply.tokens_out,
            reply.finish,
        )

    def ask(self, prompt: Prompt, sample_ix: int) -> Reply:
        """Ask the endpoint for one answer, within the budget, and record it."""
        assert self.endpoint is not None
        budget = self.access.budget
        with self.meter.reserve(highest(prompt, self.config, budget)):
            reply = self.endpoint.ask(prompt, self.config, sample_ix)
            tokens_in = reply.tokens_in or estimated_tokens(prompt)
            tokens_out = reply.tokens_out or estimated_tokens(Prompt("", (("", reply.text),)))
            reply = Reply(reply.text, reply.problem, tokens_in, tokens_out, reply.finish)
            self.meter.spend(budget.cost(tokens_in, tokens_out))
        if reply.problem not in _NOT_KEPT and reply.problem != "refused":
            self.keep(prompt, sample_ix, reply)
        return reply

    def keep(self, prompt: Prompt, sample_ix: int, reply: Reply) -> None:
        """Record an answer."""
        if self.recording is not None:
            key = answer_key(prompt, self.config, sample_ix)
            self.recording.add(key, reply, model=self.config.model, prompt_id=prompt.id, sample_ix=sample_ix)

    def close(self) -> None:
        """Close files and connections."""
        for opened in (self.recording, self.endpoint):
            if opened is not None:
                opened.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Round:
    """The missing answers, asked for by threads that take one after the other; the first error ends all."""

    def __init__(self, model: Model, missing: list[tuple[Prompt, int]]) -> None:
        self.model = model
        self.replies: dict[str, Reply] = {}
        self._missing = iter(missing)
        self._count = len(missing)
        self._turn = threading.Lock()
        self._error: BaseException | None = None
        self._fruitless = 0
        self._refused: list[tuple[tuple[Prompt, int], Reply]] = []

    def run(self) -> dict[str, Reply]:
        assert self.model.endpoint is not None
        width = min(self.model.endpoint.patience.connections, self._count)
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(width)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException as error:
            self._fail(error)
            raise
        if self._error is not None:
            raise self._error
        for asked, reply in self._refused:
            self.model.keep(*asked, reply)
        return self.replies

    def _work(self) -> None:
        while (asked := self._next()) is not None:
            prompt, sample_ix = asked
            try:
                reply = self.model.ask(prompt, sample_ix)
                self._note(prompt, sample_ix, reply)
            except BaseException as error:
                self._fail(error)

    def _next(self) -> tuple[Prompt, int] | None:
        with self._turn:
            return None if self._error is not None else next(self._missing, None)

    def _note(self, prompt: Prompt, sample_ix: int, reply: Reply) -> None:
        """Take a reply. Refusals are recorded at the end, when it is clear that not everything is refused."""
        with self._turn:
            self.replies[answer_key(prompt, self.model.config, sample_ix)] = reply
            if reply.problem == "refused":
                self._refused.append(((prompt, sample_ix), reply))
            self._fruitless = self._fruitless + 1 if reply.problem else 0
            if self._fruitless >= DEAD_AFTER:
                assert self.model.endpoint is not None
                raise EnvironmentProblem(
                    f"{self.model.endpoint.url}: {DEAD_AFTER} requests in a row had no answer (last: {reply.problem})",
                    hint="look at the server, the model's name and max_tokens; run again to go on: answers are kept",
                )

    def _fail(self, error: BaseException) -> None:
        with self._turn:
            self._error = self._error or error


def open_model(source: str | Path, config: ModelConfig, access: Access | None = None) -> Model:
    """A model from an endpoint (``http://…/v1``, OpenAI-compatible) or a file of recorded responses (``….jsonl``).

    Which of the two is an option and changes no byte: a recording made from an endpoint answers the same.
    """
    access = access or Access()
    if "://" in str(source):
        endpoint = Endpoint(
            str(source), key_variable=access.key_variable, patience=access.patience, wait=access.wait
        )
        recording = Recording(access.record, writable=True) if access.record is not None else None
        return Model(config, recording, endpoint, access)
    return Model(config, Recording(source), None, access)
