"""RedPajama's code rules in plain Python, written from the definition of data-juicer's filters.

datajuicer/data-juicer, configs/reproduced_redpajama/redpajama-code.yaml with maximum_line_length_filter,
average_line_length_filter and alphanumeric_filter. Without a line or a character upstream's value is 0. The rule on
letters per token is left out: it needs the tokenizer EleutherAI/pythia-6.9b-deduped.
"""

from __future__ import annotations

from tests.conformance.files import File, OracleRule


def line_max(file: File) -> bool:
    return max(map(len, file.text.splitlines()), default=0) > 1000


def line_mean(file: File) -> bool:
    """All characters, line ends included, by the number of lines of str.splitlines."""
    lines = file.text.splitlines()
    return bool(lines) and len(file.text) / len(lines) > 100


def low_alnum(file: File) -> bool:
    counted = sum(c.isalnum() for c in file.text)
    return (counted / len(file.text) if file.text else 0.0) < 0.25


ORACLE: dict[str, OracleRule] = {"line_max": line_max, "line_mean": line_mean, "low_alnum": low_alnum}
