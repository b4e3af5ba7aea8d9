"""Cost: what reading will bill, said before anything is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from columns.errors import InputError
from sources.bigquery.config import BigQueryConfig, Prices

TIB = 1 << 40


@dataclass(frozen=True)
class Estimate:
    """What reading a source costs at list prices.

    ``processed``: bytes a query scans, by the service's dry run. ``read``: bytes of the selected columns that the
    Storage Read API scans; 0 for a query's temporary result, which is read free of charge. ``rows``: of a table,
    None for a query. ``tables``: what is scanned.
    """

    what: str
    processed: int = 0
    read: int = 0
    rows: int | None = None
    tables: tuple[str, ...] = ()
    prices: Prices = field(default_factory=Prices)

    @property
    def price(self) -> float:
        """The price in ``prices.currency``.

        >>> Estimate("t", processed=TIB, read=TIB, prices=Prices(query=6.25, read=1.1)).price
        7.35
        """
        return (self.processed * self.prices.query + self.read * self.prices.read) / TIB

    def text(self) -> str:
        """One line for a person.

        >>> Estimate("github_repos", processed=3 << 39).text()
        'github_repos: 1.50 TiB to scan, about 9.38 USD (cloud.google.com/..., US multi-region, 2026-06)'
        """
        prices = self.prices
        amount = f"{size_text(self.processed + self.read)} to scan"
        return f"{self.what}: {amount}, about {self.price:.2f} {prices.currency} ({prices.source}, {prices.as_of})"


Confirm = Callable[[Estimate], bool]


def size_text(size: int) -> str:
    """Bytes in the largest fitting binary unit.

    >>> size_text(512), size_text(3 << 29)
    ('512 B', '1.50 GiB')
    """
    number, units = float(size), iter(("KiB", "MiB", "GiB", "TiB"))
    unit = "B"
    while number >= 1024 and unit != "TiB":
        number, unit = number / 1024, next(units)
    return f"{size} B" if unit == "B" else f"{number:.2f} {unit}"


def check(estimate: Estimate, config: BigQueryConfig, confirm: Confirm | None) -> None:
    """Refuse what is over the limits or not confirmed; `InputError` says how much it would have been.

    >>> check(Estimate("t", processed=1 << 41), BigQueryConfig(), None)
    Traceback (most recent call last):
    columns.errors.InputError: t: 2.00 TiB to scan, about 12.50 USD (...): over max_bytes_billed, 100.00 GiB
    hint: raise max_bytes_billed to 2199023255552 if that is meant; nothing was billed
    """
    limits = (
        ("max_bytes_billed", estimate.processed, config.max_bytes_billed),
        ("max_bytes_read", estimate.read, config.max_bytes_read),
    )
    for name, wanted, limit in limits:
        if wanted > limit:
            what = f"{estimate.text()}: over {name}, {size_text(limit)}"
            raise InputError(what, hint=f"raise {name} to {wanted} if that is meant; nothing was billed")
    if confirm is not None and not confirm(estimate):
        raise InputError(f"{estimate.what}: not confirmed", hint="nothing was read or billed")
