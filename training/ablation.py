"""Ablation: the same tiny model trained on several datasets for the same number of tokens, judged on held-out text.

All datasets have one tokenizer, one length of rows, the same first weights per seed, the same steps, rates and batches.
Models are judged on the same documents, which none of them holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

from columns.errors import InputError
from columns.files import Place
from columns.versions import current_place
from shards.manifest import read_manifest
from shards.reader import ShardSet
from training.evaluation import HeldOut, KnownTexts, bits_per_byte, held_out
from training.interval import Interval, t_interval
from training.learner import LearnConfig, Learner, default_device, prepare
from training.samples import open_samples

Say = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class AblationConfig:
    """What is compared: ``datasets`` (the first is what the others are compared with), judged on ``held_out`` datasets'
    validation splits (none: those of ``datasets``), at most ``limit_bytes`` of text each, with every one of ``seeds``.

    ``learn.seed`` is not used.
    """

    datasets: tuple[str, ...]
    held_out: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    learn: LearnConfig = field(default_factory=LearnConfig)
    limit_bytes: int = 1 << 20
    threads: int = 1

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if len(self.datasets) < 2 or len(set(self.datasets)) != len(self.datasets):
            raise ValueError(f"datasets: expected at least two different ones, got {list(self.datasets)}")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds: expected different numbers, got {list(self.seeds)}")
        for name in ("limit_bytes", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Trial:
    """One training: ``bits`` per byte by held-out dataset, ``tokens`` with a target, ``epochs`` gone through."""

    dataset: str
    seed: int
    bits: Mapping[str, float]
    tokens: int
    epochs: float
    last_loss: float


@dataclass(frozen=True)
class Outcome:
    """All trials, and what they were judged on."""

    config: AblationConfig
    held: Mapping[str, HeldOut]
    trials: Sequence[Trial]

    def bits(self, dataset: str, held: str) -> list[float]:
        """Bits per byte of a dataset's trials, by seed."""
        return [trial.bits[held] for trial in self.trials if trial.dataset == dataset]

    def interval(self, dataset: str, held: str) -> Interval:
        """Their mean over seeds."""
        return t_interval(self.bits(dataset, held))

    def difference(self, dataset: str, held: str) -> Interval:
        """The dataset minus the first one, seed by seed (both begin with the same weights): below 0 it is better."""
        pairs = zip(self.bits(dataset, held), self.bits(self.config.datasets[0], held), strict=True)
        return t_interval([mine - first for mine, first in pairs])

    def to_dict(self) -> dict[str, Any]:
        """Plain values: configuration, held-out sets, results by held-out set and dataset, trials, limits."""
        return {
            "config": asdict(self.config),
            "held_out": {name: _described(held) for name, held in self.held.items()},
            "results": [
                self._result(held, dataset) for held in self.held for dataset in self.config.datasets
            ],
            "trials": [asdict(trial) for trial in self.trials],
            "limits": LIMITS,
        }

    def _result(self, held: str, dataset: str) -> dict[str, Any]:
        found: dict[str, Any] = {"held_out": held, "dataset": dataset}
        found["bits_per_byte"] = self.interval(dataset, held)._asdict()
        if dataset != self.config.datasets[0]:
            found["difference"] = self.difference(dataset, held)._asdict()
        return found


LIMITS = (
    "intervals cover the seed (first weights and order), not another choice of documents",
    "one interval in twenty misses by chance: try a difference again with other seeds before you believe it",
    "a tiny model on few tokens learns spelling and layout; what it prefers, a large one may not",
    "each held-out set is like the dataset it is from: a difference that holds on one of them alone says that the "
    "datasets differ, not that one is better",
    "near-copies of held-out documents may be in a training set that keeps near-copies; equal ones are left out",
)


def ablate(config: AblationConfig, say: Say = lambda told: None) -> Outcome:
    """Train every dataset with every seed and judge each model; ``say`` hears of every step and trial.

    `InputError` for datasets of different tokenizers or row lengths, or when no held-out document is left that
    no training set holds. Costs ``len(datasets) * len(seeds)`` trainings, one after the other, in this process.
    """
    prepare(config.threads)
    form = _form_of_all([*config.datasets, *config.held_out])
    known = KnownTexts()
    for dataset in config.datasets:
        known.add(ShardSet(dataset, split="train").documents())
    held = {
        name: held_out(name, known, limit_bytes=config.limit_bytes)
        for name in config.held_out or config.datasets
    }
    trials = []
    for seed in config.seeds:
        for dataset in config.datasets:
            trial = _trial(config, dataset, seed, form["vocab_size"], held, say)
            say({"event": "trial", **asdict(trial)})
            trials.append(trial)
    return Outcome(config, held, trials)


def _trial(
    config: AblationConfig, dataset: str, seed: int, vocab_size: int, held: Mapping[str, HeldOut], say: Say
) -> Trial:
    device = default_device()
    samples = open_samples(dataset, epochs=None, seed=seed)
    learner = Learner(replace(config.learn, seed=seed), samples, vocab_size, device=device)
    tokens, loss = 0, 0.0
    for line in learner.run():
        tokens, loss = tokens + line["tokens"], line["loss"]
        say({"event": "step", "dataset": dataset, "seed": seed, **line})
    bits = {
        name: bits_per_byte(learner.model, one, learner.context, device=device) for name, one in held.items()
    }
    return Trial(dataset, seed, bits, tokens, learner.epochs(), loss)


def _form_of_all(datasets: Sequence[str]) -> dict[str, Any]:
    """Tokenizer and row length, which all datasets must share."""
    forms = {dataset: _form(dataset) for dataset in datasets}
    first = forms[datasets[0]]
    for dataset, form in forms.items():
        differing = [name for name in first if form[name] != first[name]]
        if differing:
            said = ", ".join(f"{name} {form[name]}, not {first[name]}" for name in differing)
            raise InputError(
                f"{dataset}: cannot be compared with {datasets[0]}: {said}",
                hint=f"--set 'tokenizer.spec=tiktoken:{datasets[0]}/tokenizer/ranks.tiktoken#cl100k' builds with its "
                "tokenizer, if that is a trained one",
            )
    return first


def _form(dataset: str) -> dict[str, Any]:
    place = current_place(Place(dataset))
    manifest = read_manifest(place)
    said = manifest.tokenizer
    vocab_size = said.get("padded_vocab_size", said["vocab_size"])
    return {
        "tokenizer": said["identity"],
        "vocab_size": int(vocab_size),
        "eot": said["eot"],
        "seq_len": ShardSet(place).shards[0].seq_len,
    }


def _described(held: HeldOut) -> dict[str, int]:
    counts = {"documents": len(held.documents), "bytes": held.text_bytes}
    return counts | {"known": held.known, "repeated": held.repeated, "cut": held.cut}
