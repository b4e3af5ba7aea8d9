"""Tokenizers: documents to token ids; what each module holds.

* `tokenizer` – `TokenizerConfig`, `Tokenizer`, `make_tokenizer`, `load_tokenizer`.
* `vocabulary` – a tokenizer as data, saved and read; `given` – from a name or file; `published` – where published
  rank files are on this machine; `pieces` – SentencePiece.
* `bpe` – training and file formats; `patterns` – how text is cut into pieces; `runs` – white space as tokens.
* `encoders` – the engines; `rare` – characters over which they disagree.
"""

from shards.tokenizers.tokenizer import Tokenizer, TokenizerConfig, load_tokenizer, make_tokenizer

__all__ = ["Tokenizer", "TokenizerConfig", "load_tokenizer", "make_tokenizer"]
