"""A small language model trained over shards: ``python -m training.example DIR --steps 20``.

It shows how the batches are used and that they can be learned from; it is no recipe for a model. One
causal transformer layer, 64 wide, on the first tokens of each row, on the CPU.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

from columns.errors import ThresherError
from columns.files import Place
from shards.manifest import read_manifest
from training.batches import IGNORED, iter_batches
from training.extra import require

WIDTH = 64


def train(
    directory: str, *, steps: int, batch_size: int = 8, context: int = 128, seed: int = 0
) -> Iterator[float]:
    """Train for ``steps`` batches, starting the data again when it ends; yields each step's loss in nats."""
    torch = require("torch")
    torch.manual_seed(seed)
    model = _model(int(read_manifest(Place(directory)).tokenizer["vocab_size"]), context)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for batch in islice(_endless(directory, batch_size), steps):
        loss = _loss(model, batch["input_ids"][:, :context], batch["labels"][:, :context])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()


def _endless(directory: str, batch_size: int) -> Iterator[dict[str, Any]]:
    while True:
        yield from iter_batches(directory, batch_size)


def _model(vocab_size: int, context: int) -> Any:
    """Token and position embeddings, one transformer layer, and logits over the vocabulary."""
    nn = require("torch.nn")
    layer = nn.TransformerEncoderLayer(
        WIDTH, nhead=4, dim_feedforward=4 * WIDTH, dropout=0.0, batch_first=True
    )
    return nn.ModuleDict(
        {
            "token": nn.Embedding(vocab_size, WIDTH),
            "position": nn.Embedding(context, WIDTH),
            "layer": layer,
            "logits": nn.Linear(WIDTH, vocab_size),
        }
    )


def _loss(model: Any, input_ids: Any, labels: Any) -> Any:
    """Mean cross-entropy of each next token, padding left out."""
    torch = require("torch")
    length = input_ids.shape[1]
    hidden = model["token"](input_ids) + model["position"](torch.arange(length))
    mask = torch.nn.Transformer.generate_square_subsequent_mask(length)
    logits = model["logits"](model["layer"](hidden, src_mask=mask, is_causal=True))
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED
    )


def main(argv: list[str] | None = None) -> int:
    """The command line; returns its exit code, 2 for a dataset or an environment to mend."""
    parser = argparse.ArgumentParser(
        prog="python -m training.example", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("directory", help="a dataset directory made by thresher build")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--context", type=int, default=128, help="tokens of each row to use")
    given = parser.parse_args(argv)
    try:
        losses = train(given.directory, steps=given.steps, batch_size=given.batch_size, context=given.context)
        for step, loss in enumerate(losses, start=1):
            print(f"step {step:4d}  loss {loss:.3f}", flush=True)
    except ThresherError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
