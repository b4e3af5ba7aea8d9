"""Make the licence data that `licensing` packages: word-pair sketches, names and the permissive list.

Reads two unpacked npm packages, spdx-license-list 6.12.0 (the texts and names of the SPDX License List) and
@blueoak/list 15.0.0 (the Blue Oak Council's license list, version 15, CC0-1.0), and writes ``templates.npz``,
``names.csv`` and ``permissive.csv``. Only hashes of word pairs are kept of a text, 24 bits each; a text with more
than ``--pairs`` distinct pairs keeps every second, fourth, … one.

    npm pack spdx-license-list@6.12.0 @blueoak/list@15.0.0   # then unpack both
    python benchmarks/make_license_data.py --spdx spdx-license-list --blueoak list --out licensing
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from licensing.pairs import PAIR_BITS, word_pairs

# Texts that differ from another one in the list only by which sentence in a *notice* names them, national ports and
# texts that no licence file holds.
LEFT_OUT = re.compile(
    r"GFDL-.*-(?:no-)?invariants.*|GFDL-1\.1.*|.*-or-later|.*\+|.*-with-.*|MPL-2\.0-no-copyleft-exception"
    r"|CC-.*-[A-Z]{2}|CC-.*-IGO|CC-(?:SA-1\.0|PDM-1\.0)|OFL-.*RFN|CAL-1\.0-C.*|LGPL-2\.0-only|FSFAP-no.*"
    r"|OLDAP-[12]\.[0-7].*|CC-BY-.*-(?:1\.0|2\.0|2\.5)|LiLiQ.*|RPL-1\.1|APSL-1\..*|AGPL-1\.0.*|Artistic-1\.0-cl8"
)
WANTED = re.compile(
    r"CC-.*|A?L?GPL-.*|GFDL-.*|WTFPL|BUSL.*|SSPL.*|Elastic.*|OFL.*|ODbL.*|PDDL.*|PSF.*|JSON|Hippocratic.*|Beerware"
    r"|FSFAP|Artistic.*|Parity.*|PolyForm.*|CECILL-.*|Unlicense|NPL-1\.[01]|YPL.*|Sendmail.*|TAPR.*|BitTorrent.*|Python-.*|CNRI-.*"
)
GNU = re.compile(r"((?:A|L)?GPL-\d\.\d|GFDL-\d\.\d)(?:-only)?")


def wanted(licence: str, row: dict[str, Any], permissive: set[str]) -> bool:
    if LEFT_OUT.fullmatch(licence) or (GNU.fullmatch(licence) and licence.endswith("-only")):
        return False
    return bool(row.get("osiApproved")) or licence in permissive or WANTED.fullmatch(licence) is not None


def sketch(text: str, limit: int) -> tuple[int, np.ndarray]:
    pairs = np.unique(word_pairs(text).pairs)
    level = 0
    while len(pairs) > limit:
        level += 1
        pairs = pairs[pairs & ((1 << level) - 1) == 0]
    return level, pairs


def write_templates(texts: dict[str, str], limit: int, target: Path) -> int:
    sketches = {licence: sketch(text, limit) for licence, text in sorted(texts.items())}
    seen: dict[bytes, str] = {}
    for licence, (_, pairs) in list(sketches.items()):
        twin = seen.setdefault(pairs.tobytes(), licence)
        if twin != licence:
            print(f"{licence}: the same words as {twin}, left out")
            del sketches[licence]
    gaps = [np.diff(pairs.astype(np.int64), prepend=0) for _, pairs in sketches.values()]
    joined = np.concatenate(gaps)
    planes = [((joined >> shift) & 0xFF).astype(np.uint8) for shift in range(0, PAIR_BITS, 8)]
    np.savez_compressed(
        target,
        ids=np.array(list(sketches), dtype=np.bytes_),
        levels=np.array([level for level, _ in sketches.values()], np.uint8),
        counts=np.array([len(pairs) for _, pairs in sketches.values()], np.uint16),
        gaps=np.concatenate(planes),
    )
    return len(sketches)


def write_names(spdx: dict[str, Any], target: Path) -> None:
    with target.open("w", newline="", encoding="utf-8") as sink:
        sink.write(
            "# SPDX License List identifiers and names, from the npm package spdx-license-list 6.12.0\n"
        )
        rows = csv.writer(sink, lineterminator="\n")
        rows.writerow(["id", "name"])
        for licence, row in sorted(spdx.items()):
            if not re.search(r"\+$|-with-|^A?L?GPL-\d\.\d$|^GFDL-\d\.\d$", licence):
                rows.writerow([licence, row["name"]])


def write_permissive(ratings: list[dict[str, Any]], target: Path) -> None:
    with target.open("w", newline="", encoding="utf-8") as sink:
        sink.write(
            "# Blue Oak Council license list, version 15, blueoakcouncil.org/list (npm @blueoak/list 15.0.0, CC0-1.0)\n"
        )
        rows = csv.writer(sink, lineterminator="\n")
        rows.writerow(["id", "rating"])
        rows.writerows((found["id"], rating["name"]) for rating in ratings for found in rating["licenses"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spdx", type=Path, required=True, help="folder with spdx-full.json")
    parser.add_argument("--blueoak", type=Path, required=True, help="folder with index.json")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=480, help="most word pairs kept of one text")
    options = parser.parse_args()
    spdx = json.loads((options.spdx / "spdx-full.json").read_text(encoding="utf-8"))
    ratings = json.loads((options.blueoak / "index.json").read_text(encoding="utf-8"))
    permissive = {found["id"] for rating in ratings for found in rating["licenses"]}
    texts = {name: row["licenseText"] for name, row in spdx.items() if wanted(name, row, permissive)}
    kept = write_templates(texts, options.pairs, options.out / "templates.npz")
    write_names(spdx, options.out / "names.csv")
    write_permissive(ratings, options.out / "permissive.csv")
    print(f"{kept} texts, {(options.out / 'templates.npz').stat().st_size} bytes")


if __name__ == "__main__":
    main()
