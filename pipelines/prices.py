"""Prices: what a service bills per unit, as data with a date and a source; a user's own table takes its place."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import TypeAdapter, ValidationError

from columns.errors import InputError
from sources.locations import missing

TABLE = Path(__file__).with_name("prices.yaml")


@dataclass(frozen=True)
class PriceTable:
    """What is billed per hour of a core, of a GB of memory and of disk, and per GB that is shuffled.

    ``checked``: whether somebody has compared it with the source for their region; the one that comes with the
    program is not.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    vcpu_hour: float
    memory_gb_hour: float
    shuffle_gb: float
    disk_gb_hour: float
    service: str = ""
    region: str = ""
    currency: str = ""
    date: str = ""
    source: str = ""
    checked: bool = False

    def __post_init__(self) -> None:
        for name in ("vcpu_hour", "memory_gb_hour", "shuffle_gb", "disk_gb_hour"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected a price, got {getattr(self, name)}")

    def machine_hour(self, cores: int, memory_gb: float, disk_gb: float) -> float:
        """What one machine costs in an hour.

        >>> round(load_prices().machine_hour(4, 16, 100), 4)
        0.2863
        """
        return cores * self.vcpu_hour + memory_gb * self.memory_gb_hour + disk_gb * self.disk_gb_hour

    def about(self) -> str:
        """Where the prices are from, in a line, and whether they are still to be checked."""
        said = ", ".join(filter(None, (self.service, self.region, self.date, self.source)))
        return said if self.checked else f"{said}; not checked: compare with the source for your region"


def load_prices(path: str | None = None, changes: Mapping[str, float] | None = None) -> PriceTable:
    """The table that comes with the program, with what a file and ``changes`` say in its place.

    A file with all four prices takes responsibility for them: its ``checked`` is true unless it says otherwise.
    `InputError` names the file and the key.
    """
    data = yaml.safe_load(TABLE.read_text("utf-8"))
    own = _read(path) if path else {}
    prices = {field.name for field in dataclasses.fields(PriceTable) if field.default is dataclasses.MISSING}
    if prices <= own.keys():
        data = {"checked": True}
    return _validated(path or TABLE.name, {**data, **own, **(changes or {})})


def _read(path: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(Path(path).expanduser().read_text("utf-8")) or {}
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: not a YAML file ({type(error).__name__})") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected prices by name, got {type(data).__name__}")
    return data


def _validated(path: str, data: Mapping[str, Any]) -> PriceTable:
    texts = {key: str(value) if key == "date" else value for key, value in data.items()}
    try:
        return TypeAdapter(PriceTable).validate_python(texts)
    except ValidationError as error:
        [first, *_] = error.errors()
        where = ".".join(map(str, first["loc"])) or "prices"
        raise InputError(f"{path}: {where}: {first['msg']}", hint=f"as in {TABLE.name}") from None
