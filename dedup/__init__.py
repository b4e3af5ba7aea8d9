"""Duplicates: which files are equal or nearly equal, and which one of them stays.

The way through the room, each step on Arrow columns and none on single files:

* `exact`: equal SHA-256 -> groups (`exact_groups`); the content key of band tables (`content_keys`)
* `shingle`: word hashes -> hashes of runs of five words (`shingles`)
* `minhash`: shingles -> signatures, as datasketch 2 makes them (`signatures`, `MinHashConfig`)
* `bands`: signatures -> band tables -> candidate pairs and the report of over-full buckets
  (`band_table`, `partition_of`, `bucket_pairs`, `BandConfig`); what they find (`curve`)
* `verify`: candidate pairs -> edges with a similarity (`estimate`, `estimate_rows`, `verified`)
* `keepers`: groups, edges and a total order -> decisions (`rank`, `choose_exact`,
  `choose_near`, `KeepConfig`)
* `runs`: the two helpers on sorted keys they share
* `transforms`: the same for Beam; import it by name, it loads Beam

Signatures, groups and verified edges are facts (of bands and threshold, too); the order and what survives
are decisions, so another order is decided again from stored edges without reading a file.
"""

from dedup.bands import (
    BAND,
    BUCKET,
    PAIR,
    BandConfig,
    Curve,
    band_of,
    band_table,
    bucket_pairs,
    candidate_probability,
    curve,
    partition_of,
)
from dedup.exact import EXACT, content_keys, exact_groups
from dedup.keepers import DECISION, KeepConfig, Participants, choose_exact, choose_near, rank
from dedup.minhash import MinHashConfig, permutations, signature_matrix, signature_type, signatures
from dedup.shingle import Shingles, shingles
from dedup.verify import EDGE, estimate, estimate_rows, verified

__all__ = [
    "BAND",
    "BUCKET",
    "DECISION",
    "EDGE",
    "EXACT",
    "PAIR",
    "BandConfig",
    "Curve",
    "KeepConfig",
    "MinHashConfig",
    "Participants",
    "Shingles",
    "band_of",
    "band_table",
    "bucket_pairs",
    "candidate_probability",
    "choose_exact",
    "choose_near",
    "content_keys",
    "curve",
    "estimate",
    "estimate_rows",
    "exact_groups",
    "partition_of",
    "permutations",
    "rank",
    "shingles",
    "signature_matrix",
    "signature_type",
    "signatures",
    "verified",
]
