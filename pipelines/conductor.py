"""Conductor: a whole build as one element of a Beam job, for launchers that start exactly one job (Flex Templates).

A build is a row of jobs with decisions between them, and a Flex Template starts one. That one job conducts: its single
worker runs the command, which starts the other jobs, waits for them and commits. Work that is repeated (the service
tries a failed piece again) does no harm: the command goes on with what is left.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import apache_beam as beam

from columns.errors import EnvironmentProblem
from columns.files import Place
from pipelines.dataflow import remote
from pipelines.metrics import CONDUCTED_KEPT, CONDUCTED_READ, count

FINISHED = "thresher finished "
_BESIDE = (".yaml", ".yml", ".py", ".txt", ".csv", ".json")
_REMEMBERED = 20
_LOGGER = logging.getLogger("thresher.conductor")


class Conduct(beam.DoFn):
    """Run a command line of ``thresher`` for each element, a tuple of its arguments."""

    def process(self, arguments: tuple[str, ...]) -> Iterator[None]:
        """Run it; yields nothing. Raises `EnvironmentProblem` with what the command said."""
        found = conduct(arguments)
        count(CONDUCTED_READ, found["files"]["read"])
        count(CONDUCTED_KEPT, found["files"]["kept"])
        yield from ()


def conduct(arguments: Sequence[str]) -> dict[str, Any]:
    """Run ``thresher`` in a process of its own and log what it says, line by line; returns its summary.

    A build prints the summary alone, a refresh as a part of what it prints.

    Files that are named by URL are fetched first. Ends with one line, `FINISHED` and a JSON object with the counts
    and shares of `figures`, which the deployment's metrics are made from. `EnvironmentProblem` when the command fails.
    """
    with tempfile.TemporaryDirectory(prefix="thresher-") as folder, tempfile.TemporaryFile("w+") as printed:
        command = [sys.executable, "-m", "pipelines", *fetched(arguments, Path(folder)), "--json"]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        assert process.stderr is not None
        said = _followed(process.stderr)
        if process.wait():
            raise EnvironmentProblem(
                f"{arguments[0]} failed: {_problem(said)}", hint="its lines are in the log"
            )
        printed.seek(0)
        found: dict[str, Any] = json.load(printed)
    summary: dict[str, Any] = found.get("summary", found)
    _LOGGER.warning("%s%s", FINISHED, json.dumps(figures(summary), sort_keys=True))
    return summary


def fetched(arguments: Sequence[str], folder: Path) -> list[str]:
    """The arguments, with a recipe or access file that is named by URL copied into ``folder``, and what lies beside it.

    A recipe names its own rules and lists by paths from where it lies; small text files of its folder come along.
    """
    local = list(arguments)
    for at, text in enumerate(local):
        if remote(text) and text.endswith((".yaml", ".yml")):
            where, _, name = text.rpartition("/")
            place, target = Place(where), folder / str(at)
            target.mkdir()
            for beside in (one for one in place.names() if one.endswith(_BESIDE)):
                (target / beside).write_bytes(place.read(beside))
            local[at] = str(target / name)
    return local


def figures(summary: Mapping[str, Any]) -> dict[str, float]:
    """What is watched from run to run: counts, and shares from 0 to 1.

    >>> figures({"files": {"read": 4, "kept": 1}, "bytes": {"read": 0, "kept": 0}, "tokens": {"written": 7}})
    {'files_read': 4, 'files_kept': 1, 'files_share': 0.25, 'bytes_share': 0.0, 'tokens': 7}
    """
    files, size = summary["files"], summary["bytes"]
    return {
        "files_read": files["read"],
        "files_kept": files["kept"],
        "files_share": round(files["kept"] / max(files["read"], 1), 6),
        "bytes_share": round(size["kept"] / max(size["read"], 1), 6),
        "tokens": summary["tokens"].get("written", 0),
    }


def _followed(lines: IO[str]) -> Sequence[str]:
    """Log lines as they come, until there are no more; returns the last of them."""
    last: deque[str] = deque(maxlen=_REMEMBERED)
    for line in lines:
        if text := line.strip():
            last.append(text)
            _LOGGER.log(logging.ERROR if text.startswith(("error:", "hint:")) else logging.INFO, "%s", text)
    return last


def _problem(said: Sequence[str]) -> str:
    told = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
    return (told or list(said) or ["it said nothing"])[-1]
