import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers.pre_tokenizers import ByteLevel

from instruct.pairs import Coder, byte_level_coder

SPECIALS = ["<pad>", "<s>", "</s>", "<unk>", "<mask>"]
MERGES = ["f o", "fo r", "Ġ i", "Ġi n", "Ġ x", "l s", "o r", "Ġ -", "T o", "To p", "( )"]


def write_vocabulary(folder: Path, *, without: str = "", merges: list[str] = MERGES) -> Path:
    """A byte-level vocabulary in the layout of CodeT5's, with a dozen merges."""
    tokens = [*SPECIALS, *sorted(ByteLevel.alphabet()), *("".join(pair.split(" ")) for pair in merges)]
    numbered = {token: number for number, token in enumerate(one for one in tokens if one != without)}
    (folder / "codet5-vocab.json").write_text(json.dumps(numbered), "utf-8")
    (folder / "codet5-merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory) -> Path:
    """A folder with a small vocabulary like CodeT5's."""
    return write_vocabulary(tmp_path_factory.mktemp("codet5"))


@pytest.fixture(scope="session")
def codet5(vocabulary) -> Coder:
    """The coder of that folder."""
    return byte_level_coder(vocabulary)


@pytest.fixture(scope="session")
def byte_coder() -> Coder:
    """A coder whose ids are bytes: every text of n bytes has n tokens."""
    widths = np.array([*[1] * 256, 0, 0], np.int32)
    return Coder(lambda texts: [list(text.encode()) for text in texts], widths, 256, 257)
