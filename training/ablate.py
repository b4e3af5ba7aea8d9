"""Which dataset teaches a tiny model more: ``python -m training.ablate RAW CURATED``; also ``thresher ablate``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from columns.errors import InputError, ThresherError
from training.ablation import LIMITS, AblationConfig, Outcome, Say, ablate
from training.interval import Interval
from training.learner import LearnConfig
from training.samples import open_samples
from training.train_gpt import add_learning

DEFAULT_TOKENS = 1_000_000


def main(argv: list[str] | None = None) -> int:
    """The command line; returns its exit code, 2 for datasets or an environment to mend."""
    given = _parser().parse_args(argv)
    try:
        config = _config(given)
        outcome = ablate(config, _sayer(config, as_json=given.json))
    except (ThresherError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps({"event": "outcome", **outcome.to_dict()}))
    else:
        render(outcome, Console())
    return 0


def _config(given: argparse.Namespace) -> AblationConfig:
    """What the options say; the steps follow from the tokens and the rows of the first dataset."""
    values = {item.name: getattr(given, item.name) for item in fields(LearnConfig)}
    learn = LearnConfig(**{name: value for name, value in values.items() if name != "steps"})
    datasets = tuple(given.datasets)
    if given.steps is None:
        width = open_samples(datasets[0]).store.seq_len
        steps = max(1, round(given.tokens / (learn.batch_size * width)))
    else:
        steps = given.steps
    if given.seeds < 1:
        raise InputError(f"--seeds: expected at least 1, got {given.seeds}")
    return AblationConfig(
        datasets=datasets,
        held_out=tuple(given.held_out or ()),
        seeds=tuple(range(given.seed, given.seed + given.seeds)),
        learn=replace(learn, steps=steps),
        limit_bytes=given.limit_bytes,
        threads=given.threads,
    )


def _sayer(config: AblationConfig, *, as_json: bool) -> Say:
    """What is told on the way: JSON lines, or on a terminal how far it is."""
    whole = len(config.datasets) * len(config.seeds) * config.learn.steps
    done = 0

    def say(told: Mapping[str, Any]) -> None:
        nonlocal done
        done += told["event"] == "step"
        if as_json:
            print(json.dumps(told), flush=True)
        elif sys.stderr.isatty():
            about = f"{done / whole:4.0%}  {told['dataset']}  seed {told['seed']}"
            print(f"\r{about}", end="\x1b[K" if done < whole else "\x1b[K\n", file=sys.stderr, flush=True)

    return say


def render(outcome: Outcome, console: Console) -> None:
    """Print what was trained, a table per held-out set, and the limits."""
    config, trial = outcome.config, outcome.trials[0]
    seeds = f"{len(config.seeds)} {'seed' if len(config.seeds) == 1 else 'seeds'}"
    console.print(f"{config.learn.steps:,} steps, {trial.tokens:,} tokens each, {seeds}", highlight=False)
    for name, held in outcome.held.items():
        console.print(_table(outcome, name))
        left = f"{held.known} in a training set, {held.repeated} repeated, {held.cut} cut"
        said = f"{len(held.documents):,} documents, {held.text_bytes:,} bytes; left out: {left}"
        console.print(said, highlight=False, soft_wrap=True)
    for limit in (*_warnings(outcome), *LIMITS):
        console.print(f"- {escape(limit)}", highlight=False, soft_wrap=True)


def _table(outcome: Outcome, held: str) -> Table:
    title = f"bits per byte, held out of {escape(_short(held))} (lower is better)"
    table = Table(
        "trained on", title=title, box=None, header_style="bold", pad_edge=False, title_justify="left"
    )
    for heading in ("mean", "95 % interval", "minus the first", "95 % interval", "epochs"):
        table.add_column(heading, justify="right", no_wrap=True)
    for dataset in outcome.config.datasets:
        mean = outcome.interval(dataset, held)
        cells = [f"{mean.mean:.4f}", _bounds(mean)]
        first = dataset == outcome.config.datasets[0]
        against = None if first else outcome.difference(dataset, held)
        cells += ["", ""] if against is None else [f"{against.mean:+.4f}", _bounds(against, sign="+")]
        epochs = next(trial.epochs for trial in outcome.trials if trial.dataset == dataset)
        table.add_row(escape(_short(dataset)), *cells, f"{epochs:.2f}")
    return table


def _warnings(outcome: Outcome) -> list[str]:
    """What makes this comparison weaker than it looks."""
    found = []
    tokens = [trial.tokens for trial in outcome.trials]
    if max(tokens) > 1.01 * min(tokens):
        found.append(f"tokens with a target differ: {min(tokens):,} to {max(tokens):,}")
    if max(trial.epochs for trial in outcome.trials) > 1:
        found.append("a dataset was gone through more than once: its rows were repeated to fill the budget")
    if len(outcome.config.seeds) == 1:
        found.append("one seed gives no interval: use --seeds 5")
    return found


def _bounds(found: Interval, sign: str = "") -> str:
    if found.low is None or found.high is None:
        return "-"
    return f"{found.low:{sign}.4f} to {found.high:{sign}.4f}"


def _short(dataset: str) -> str:
    return Path(dataset).name or dataset


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.ablate",
        description=(__doc__ or "").split(":")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("datasets", nargs="+", help="datasets; the others are compared with the first")
    parser.add_argument(
        "--held-out",
        action="append",
        metavar="DIR",
        help="judge on this dataset's validation split (repeatable)",
    )
    parser.add_argument("--seeds", type=int, default=5, help="how many trainings of each dataset")
    parser.add_argument("--tokens", type=int, default=DEFAULT_TOKENS, help="of each training")
    parser.add_argument(
        "--limit-bytes", type=int, default=AblationConfig.limit_bytes, help="text of each held-out set"
    )
    parser.add_argument("--threads", type=int, default=1, help="of this process")
    parser.add_argument(
        "--json", action="store_true", help="a line of JSON per step, trial and for the outcome"
    )
    add_learning(parser, {"steps": "of each training, in place of --tokens", "seed": "the first one"})
    parser.set_defaults(steps=None)
    return parser


if __name__ == "__main__":
    sys.exit(main())
