"""Shards: kept documents to token ids, packed rows and files that a trainer maps into memory.

The room's map, in the order a document meets it:

* `tokenizers` – a package with its own map: `TokenizerConfig`, `make_tokenizer`, `load_tokenizer`; vocabularies,
  training, and the engines.
* `order` – keys, the train/validation split, the training sample, ranges of keys that are shards.
* `forming` – `TransformConfig`: what is done to documents; `infilling` (a package), `prefixes`,
  `repositories` (a package) do it; `ragged` – rows of ids.
* `tokens` – token parts: `tokenise_part`, `write_tokens`, and `gather`, which reads one shard's slice
  of all parts.
* `packing` – `pack`, `pool`: documents into rows of ``seq_len``, every token accounted for.
* `format`, `writer`, `reader` – the files: schemas, `write_shard`, `open_shard`, `ShardSet`.
* `batches` – `BatchInfo`, `map_ids`, `damage`: where record batches lie in a file, and whether they are whole.
* `exports` – a package with its own map: other loaders' formats, there and back.
* `manifest` – `Manifest`, `read_manifest`, `verify`: the dataset's commit point.
"""

from shards.batches import BatchInfo, damage, map_ids, read_batches
from shards.format import shard_names
from shards.forming import TransformConfig, formed
from shards.manifest import Manifest, read_manifest, verify
from shards.order import key_range, order_keys, sample, shard_count, shard_of, shard_ranges, split_of
from shards.packing import Documents, PackConfig, Packed, pack, pool
from shards.reader import Found, Shard, ShardSet, TokenDocument, open_shard
from shards.tokenizers import Tokenizer, TokenizerConfig, load_tokenizer, make_tokenizer
from shards.tokens import count_tokens, gather, gather_rows, merge_tokens, tokenise_part, write_tokens
from shards.writer import ShardInfo, write_shard

__all__ = [
    "BatchInfo",
    "Documents",
    "Found",
    "Manifest",
    "PackConfig",
    "Packed",
    "Shard",
    "ShardInfo",
    "ShardSet",
    "TokenDocument",
    "Tokenizer",
    "TokenizerConfig",
    "TransformConfig",
    "count_tokens",
    "damage",
    "formed",
    "gather",
    "gather_rows",
    "key_range",
    "load_tokenizer",
    "make_tokenizer",
    "map_ids",
    "merge_tokens",
    "open_shard",
    "order_keys",
    "pack",
    "pool",
    "read_batches",
    "read_manifest",
    "sample",
    "shard_count",
    "shard_names",
    "shard_of",
    "shard_ranges",
    "split_of",
    "tokenise_part",
    "verify",
    "write_shard",
    "write_tokens",
]
