"""Privacy: secrets and personal data in files, where they are, and their removal.

The map::

    kind.py        Kind: how one is found, what stands in its place, where the format is documented
    providers.py   tokens of providers, by prefix
    kinds.py       KINDS: the providers', the ones told by context, the personal ones
    finders.py     a text and a place -> the edges of what lies there
    checks.py      checksums, randomness, placeholders: what tells a real value from a made-up one
    addresses.py   which e-mail and IP addresses are somebody's
    assigned.py    secrets known only by the name they are assigned to
    anchors.py     the pass over all bytes: where a kind could lie
    config.py      PrivacyConfig: kinds to report, kinds to redact
    spans.py       SPANS, find_spans: where they lie, never what
    splice.py      spans as tuples: overlaps, placeholders, places before and after
    redaction.py   redact: texts with placeholders
    measure.py     PRIVACY, measure_privacy: counts per file and the spans
    plants.py      planted, lookalikes: made-up finds and what only looks like one, the room's self-test
    lookalikes.py  LOOKALIKES: the lines of the latter

Text flows: `find_places` (kernel) -> a kind's pattern and check -> `find_spans` -> `redact`. Nothing is ever validated
against a service, and neither a secret nor a hash of one is kept.
"""

from privacy.config import PrivacyConfig
from privacy.kind import Kind
from privacy.kinds import DEFAULT_KINDS, KINDS
from privacy.measure import PRIVACY, Privacy, measure_privacy
from privacy.plants import Plant, lookalikes, planted
from privacy.redaction import redact
from privacy.spans import SPANS, find_spans

__all__ = [
    "DEFAULT_KINDS",
    "KINDS",
    "PRIVACY",
    "SPANS",
    "Kind",
    "Plant",
    "Privacy",
    "PrivacyConfig",
    "find_spans",
    "lookalikes",
    "measure_privacy",
    "planted",
    "redact",
]
