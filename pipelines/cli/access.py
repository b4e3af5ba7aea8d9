"""How a command reaches services: the access file, limits of cost, and the question before anything is billed."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated

import typer
from rich.console import Console

from columns.errors import InputError
from sources import Access, Estimate, Services, read_services

AccessFile = Annotated[
    str | None,
    typer.Option(
        "--access",
        envvar="THRESHER_ACCESS",
        help="YAML file that says how GitHub and BigQuery are reached (docs/access.md)",
        metavar="FILE",
    ),
]
MaxBilled = Annotated[
    str | None,
    typer.Option(
        "--max-bytes-billed",
        help="the most that a BigQuery query may process, such as 500GiB; 100GiB unless the access file says else",
        metavar="SIZE",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="do not ask before a query is billed")]

_UNITS = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
          "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}  # fmt: skip


def access_of(file: str | None, max_billed: str | None, yes: bool, *, quiet: bool = False) -> Access:
    """What the options of a command say; `InputError` for an access file that cannot be used.

    Costs are shown before they are billed, and asked for unless ``yes``; only with both ``quiet`` is silent.
    """
    services = read_services(file) if file else Services()
    if max_billed is not None:
        limited = dataclasses.replace(services.bigquery, max_bytes_billed=byte_size(max_billed))
        services = dataclasses.replace(services, bigquery=limited)
    return Access(services, confirm=_allow if yes and quiet else _show if yes else _ask)


def byte_size(text: str) -> int:
    """Bytes of a size as people write it.

    >>> byte_size("500GiB"), byte_size("1.5 TB"), byte_size("1000")
    (536870912000, 1500000000000, 1000)
    """
    number = text.strip().rstrip("BbIiKkMmGgTt").strip()
    unit = text.strip()[len(number) :].strip().upper()
    try:
        size = int(float(number) * _UNITS[unit])
    except (KeyError, ValueError, OverflowError):
        size = 0
    if size < 1:
        raise typer.BadParameter(
            f"expected a size such as 500GiB, got {text}", param_hint="--max-bytes-billed"
        )
    return size


def _allow(estimate: Estimate) -> bool:
    return True


def _show(estimate: Estimate) -> bool:
    Console(stderr=True).print(f"BigQuery, {estimate.text()}", soft_wrap=True, highlight=False, markup=False)
    return True


def _ask(estimate: Estimate) -> bool:
    """Show the cost and ask; without a terminal there is nobody to ask."""
    _show(estimate)
    if not estimate.processed + estimate.read:
        return True
    if not sys.stdin.isatty():
        raise InputError(
            f"{estimate.what}: nobody to ask whether to pay for it", hint="--yes; nothing was read or billed"
        )
    return typer.confirm("go on?", err=True)
