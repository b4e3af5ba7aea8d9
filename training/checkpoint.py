"""Checkpoints: the state of a run after a step, each a file that is complete when it has its name."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from columns.errors import OutputError
from columns.files import TEMPORARY
from training.extra import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

_NAME = re.compile(r"step-(\d{9})\.pt")


def save_checkpoint(directory: Path, state: Mapping[str, Any], *, keep: int) -> Path:
    """Write ``step-000000040.pt`` of a state's step, and remove all but the newest ``keep``.

    Written under a temporary name, brought to the disk, then renamed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    final = directory / f"step-{state['step']:09d}.pt"
    temporary = directory / f"{TEMPORARY}{final.name}-{os.getpid()}"
    with temporary.open("wb") as sink:
        torch.save(dict(state), sink)
        sink.flush()
        os.fsync(sink.fileno())
    temporary.replace(final)
    for old in _checkpoints(directory)[:-keep]:
        old.unlink(missing_ok=True)
    return final


def newest_checkpoint(directory: Path) -> Path | None:
    """The checkpoint of the latest step; None where there is none."""
    return next(reversed(_checkpoints(directory)), None)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a state, tensors on the CPU; no code of the file is run. `OutputError` for a damaged one."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise OutputError(
            f"{path}: not a checkpoint: {str(error).splitlines()[0]}",
            hint="remove the file to go on from the one before, or from the beginning",
        ) from error
    return state


def sweep(directory: Path) -> None:
    """Remove what a killed writer has left."""
    for path in directory.glob(f"{TEMPORARY}step-*"):
        path.unlink(missing_ok=True)


def _checkpoints(directory: Path) -> list[Path]:
    return sorted(path for path in directory.glob("step-*.pt") if _NAME.fullmatch(path.name))
