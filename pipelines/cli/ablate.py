"""The command that asks which dataset teaches a tiny model more: it starts `training.ablate` as a process."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from columns.errors import EnvironmentProblem
from pipelines.cli.app import Json, app


@app.command()
def ablate(
    directories: Annotated[
        list[str],
        typer.Argument(metavar="RAW_DIR CURATED_DIR...", help="datasets of one tokenizer and one seq_len"),
    ],
    held_out: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR",
            help="judge on this dataset's validation split; not given: on those of all (repeatable)",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="trainings of each dataset", min=1)] = 5,
    seed: Annotated[int, typer.Option(help="the first seed", min=0)] = 0,
    tokens: Annotated[int, typer.Option(help="of each training", min=1)] = 1_000_000,
    batch_size: Annotated[int, typer.Option(help="rows of a batch", min=1)] = 8,
    context: Annotated[int, typer.Option(help="tokens a row is cut to; 0: not cut", min=0)] = 0,
    width: Annotated[int, typer.Option(help="of the model", min=1)] = 128,
    layers: Annotated[int, typer.Option(help="of the model", min=1)] = 2,
    limit_bytes: Annotated[int, typer.Option(help="text of each held-out set", min=1)] = 1 << 20,
    threads: Annotated[int, typer.Option(help="of the process", min=1)] = 1,
    as_json: Json = False,
) -> None:
    """Train the same tiny model on several datasets and report held-out bits per byte, with intervals over seeds.

    The others are compared with the first. Each training has the same steps, tokenizer and, per seed, first weights.
    Held-out documents that a training set holds are left out. More options: `python -m training.ablate --help`.

    Examples:

        thresher ablate build/raw build/curated

        thresher ablate build/raw build/curated --held-out build/other --seeds 3 --tokens 300000 --context 256
    """
    if find_spec("torch") is None:
        raise EnvironmentProblem(
            "ablate needs torch, which is not installed", hint="pip install 'thresher[train]'"
        )
    options = {
        "seeds": seeds, "seed": seed, "tokens": tokens, "batch-size": batch_size, "width": width, "layers": layers,
        "limit-bytes": limit_bytes, "threads": threads,
    }  # fmt: skip
    if context:
        options["context"] = context
    command = [sys.executable, "-m", "training.ablate", *directories]
    command += [f"--{name}={value}" for name, value in options.items()]
    command += [f"--held-out={directory}" for directory in held_out or ()] + ["--json"] * as_json
    raise typer.Exit(subprocess.run(command, check=False).returncode)
