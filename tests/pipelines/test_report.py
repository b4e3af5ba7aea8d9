from __future__ import annotations

import html.parser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from columns.errors import OutputError
from columns.files import Place
from pipelines.finished import Finished
from pipelines.report import render_report, write_report
from pipelines.report.charts import Bar, Mark, bars_chart, funnel_chart, histogram_chart
from pipelines.report.histograms import MOST, Scale, histograms, undrawn
from pipelines.report.page import excerpt, side_by_side
from tests.pipelines.made_dataset import RULES, Made, Source, make_dataset, samples

SECTIONS = (
    "funnel",
    "rules",
    "signals",
    "duplicates",
    "contamination",
    "tokens",
    "problems",
    "recipe",
    "reproduce",
)
VOID = {"meta", "br", "rect", "line", "polyline"}


class Balance(html.parser.HTMLParser):
    """Checks that every element is closed in order; remembers tags, ids and attributes."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.ids, self.attributes = [], set(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parse(page: str) -> Balance:
    found = Balance()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    made = make_dataset(tmp_path_factory.mktemp("dataset"))
    write_report(made)
    return made


@pytest.fixture(scope="module")
def page(place) -> str:
    return place.read("report.html").decode()


def test_sections_and_wellformed(page):
    found = parse(page)
    assert [name for name in found.ids if name in SECTIONS] == list(SECTIONS)
    assert len(set(found.ids)) == len(found.ids)


def test_self_contained(page):
    found = parse(page)
    assert not found.tags & {"script", "link", "img", "iframe", "object", "base"}
    assert "default-src 'none'" in page
    assert not [v for k, v in found.attributes if k in {"src", "href"} and not v.startswith("#")]
    assert "url(" not in page
    assert "@import" not in page
    assert not [k for k, _ in found.attributes if k.startswith("on") or k == "style"]


def test_untrusted_text_is_harmless(page):
    assert "<script" not in page.lower()
    assert "&lt;script&gt;alert" in page
    assert "&lt;/style&gt;" in page
    for bad in ("\x1b", "\u202e", "\x00"):
        assert bad not in page
    assert "⟨U+202E⟩" in page
    assert "new␊line.py" in page


def test_says_what_happened(page):
    for said in ("14 files kept of 29",
                 "Codex §3.1", "line_max 1,210; the rule drops line_max &gt; 1000", "permission denied",
                 "humaneval/HumanEval/0", "80%", "3–38", "near/variant_0.py", "5,000", "12" * 32):  # fmt: skip
        assert said in page, said


def test_benchmark_text_is_never_shown(tmp_path):
    made = make_dataset(tmp_path, [Source("leak.py", "SECRET_TASK = 1\n", task="HumanEval/7")])
    shown = render_report(Finished.open(made))
    assert "HumanEval/7" in shown
    assert "SECRET_TASK" not in shown


def test_same_dataset_gives_the_same_bytes(tmp_path, page):
    made = make_dataset(tmp_path / "other", list(reversed(samples())))
    write_report(made)
    assert made.read("report.html").decode() == page
    assert str(tmp_path) not in page


def test_left_no_temporary_files(place):
    assert not [name for name in place.names() if name.startswith(".tmp")]


@pytest.mark.parametrize(
    "sources",
    [
        [],
        [Source("a.py", "x = 1\n")],
        [Source("a.bin", None, problem="binary")],
        [Source("w.py", "x" * 2000)],
        [Source("e.py", "")],
        [Source("", "y = 2\n", repo="")],
    ],
    ids=["none", "one", "unreadable", "all dropped", "empty file", "no name"],
)
def test_every_size(tmp_path, sources):
    made = make_dataset(tmp_path, sources, parts=1)
    shown = render_report(Finished.open(made))
    assert [name for name in parse(shown).ids if name in SECTIONS] == list(SECTIONS)
    assert "nan" not in re.sub(r"<style>.*?</style>", "", shown, flags=re.S).split()


def test_page_does_not_grow_with_the_dataset(tmp_path, page):
    many = [Source(f"m/{i}.py", f"value_{i} = {i}\n" * (1 + i % 50) + "#" * (i % 1400)) for i in range(1500)]
    shown = render_report(Finished.open(make_dataset(tmp_path, many, parts=3)))
    assert parse(shown)
    assert len(shown) < 3 * len(page)


def test_histogram_counts_every_file(place):
    rows = Finished.open(place).manifest["documents"]["files"]
    found = histograms(Finished.open(place))
    assert [h.signal for h in found] == ["line_mean", "line_max", "alnum_fraction"]
    assert undrawn(Finished.open(place), found) == ["lines", "autogenerated", "words"]
    for histogram in found:
        assert histogram.kept.sum() == 14
        assert histogram.kept.sum() + histogram.dropped.sum() + histogram.unmeasured == rows


@pytest.mark.parametrize(
    ("low", "high", "log"), [(0, 1, False), (0, 50_000, True), (3, 3, True), (-5, -5, False)]
)
def test_scale_keeps_values_and_order(low, high, log):
    import numpy as np

    scale = Scale.fit(low, high)
    assert scale.log is log
    at = scale.place(np.linspace(low, high, 9))
    assert at.min() >= 0
    assert at.max() <= 1
    assert (np.diff(at) >= 0).all()
    assert all(0 <= tick <= 1 for tick, _ in scale.ticks())


def test_charts_escape_and_survive_nothing():
    assert "<b>" not in funnel_chart([Bar("<b>", 1, 2, "<b>")], "<b>")
    assert "<svg" in funnel_chart([], "nothing")
    assert "NaN" not in bars_chart([("a", 0)], "zero")


def test_excerpt_is_bounded():
    found = excerpt("y" * 5000 + "\n" + "z\r\n" * 100)
    assert len(found) == 13
    assert max(map(len, found)) < 180
    assert found[1] == "z"


def test_side_by_side_shows_the_most_different_stretch():
    left = [f"line {i}" for i in range(50)]
    rows = side_by_side(left, [*left[:30], "changed", *left[31:33], "too", *left[34:]])
    assert ("line 30", "changed", True) in rows
    assert ("line 33", "too", True) in rows
    assert len(rows) == 14
    assert side_by_side([], []) == []
    assert side_by_side(["a"], ["a", "b"]) == [("a", "a", False), ("", "b", True)]


def test_not_a_dataset(tmp_path):
    with pytest.raises(OutputError, match=r"no manifest\.json"):
        write_report(Place(str(tmp_path)))
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(OutputError, match="not JSON"):
        write_report(Place(str(tmp_path)))
    (tmp_path / "manifest.json").write_text('{"format": "other/9"}')
    with pytest.raises(OutputError, match="expected 'thresher/1'"):
        write_report(Place(str(tmp_path)))


FINDS = (("email", 3), ("password", 9))
OWN = [{"name": "link_farm", "version": 3, "about": "short and full of <links>", "file": "links.py",
        "reads": ["lines", "words"]}]  # fmt: skip
FULL = Made(
    rules=[*RULES, *({"name": f"idle_{i}", "signal": "lines", "op": "gt", "value": 10_000 + i, "status": "published",
                      "source": "a paper", "languages": ["c"]} for i in range(25))],
    own=OWN, licenses=True, privacy=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> str:
    sources = [
        *samples(),
        Source("own/a.py", "q = 1\n", fails=("link_farm",), license="MIT"),
        Source("own/secret.py", "MY_SECRET_TEXT = 1\n" * 3, fails=("link_farm",), finds=FINDS),
        Source("own/conflict.py", "r = 1\n" * 5, finds=FINDS, license="GPL-3.0-only"),
    ]
    return render_report(Finished.open(make_dataset(tmp_path_factory.mktemp("full"), sources, made=FULL)))


def section(page: str, name: str) -> str:
    found = re.search(rf'<section id="{name}".*?</section>', page, re.S)
    return found.group() if found else ""


def test_sections_that_only_some_datasets_have(page, full):
    assert (section(page, "licences"), section(page, "privacy")) == ("", "")
    assert 'href="#licences"' not in page
    ids = parse(full).ids
    assert [name for name in ids if name in SECTIONS] == list(SECTIONS)
    assert {"licences", "privacy"} <= set(ids)
    licences, privacy = section(full, "licences"), section(full, "privacy")
    for said in ("MIT", "GPL-3.0-only", "is known", "For 1 file another source"):
        assert said in licences, said
    assert "4 finds in all files" in privacy
    assert "1 were replaced" in privacy
    assert "password" not in privacy


def test_texts_with_a_find_are_not_shown(full):
    assert "own/secret.py" in full
    assert "it holds secrets or personal data" in full
    assert "MY_SECRET_TEXT" not in full


def test_idle_rules_are_folded(page, full):
    funnel = section(full, "funnel")
    visible, _, folded = funnel.partition("<details>")
    assert "25 rules removed nothing" in folded
    assert all(f"<li>idle_{i}</li>" in folded for i in range(25))
    assert "idle_" not in visible
    assert "<details>" not in section(page, "funnel")


def test_own_rules_say_what_they_are(full):
    rules = section(full, "rules")
    assert "An own rule: <strong>short and full of &lt;links&gt;</strong> (links.py, version 3)" in rules
    assert "lines 1, words 3" in rules
    assert "links.py, version 3" in section(full, "recipe")
    assert "own_rules" not in section(full, "recipe")


def test_scopes_are_on_the_page(full):
    assert "lines &gt; 10,000 for c" in section(full, "recipe")


def test_no_more_histograms_than_can_be_looked_at(tmp_path):
    from pipelines.report import histograms as module

    made = make_dataset(
        tmp_path, None, made=Made(rules=[*RULES, {"name": "w", "signal": "words", "op": "gt", "value": 9}])
    )
    dataset = Finished.open(made)
    assert len(histograms(dataset)) == 4 <= MOST
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST", 1)
        drawn = histograms(dataset)
    removed = {step["rule"]: step["removed_files"] for step in dataset.section("funnel")}
    assert removed["w"] == max(removed[rule.name] for rule in dataset.rules())
    assert [h.signal for h in drawn] == ["words"]
    assert len(undrawn(dataset, drawn)) == 5


def test_words_of_thresholds_do_not_cover_each_other():
    def rows(*marks: Mark) -> list[float]:
        chart = histogram_chart([1], [0], [], marks, "x")
        return [float(y) for y in re.findall(r'<text class="limit[^"]*" x="[^"]*" y="([^"]*)"', chart)]

    near, far = Mark(0.62, "> 0.6 for html", True), Mark(0.8, "> 0.8", True)
    assert len(set(rows(near, far))) == 2
    assert len(set(rows(Mark(0.1, "< 1", False), far))) == 1
    assert rows() == []


def test_long_labels_are_whole():
    assert "aws_secret_access_key" in bars_chart([("aws_secret_access_key", 1)], "x")


def browse(program: str, url: str, folder: Path) -> tuple[str, list[str], list[str]]:
    """Load a page in a browser that can resolve no name: its DOM, console lines and what it asked the network for."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
             "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
             "--host-resolver-rules=MAP * ~NOTFOUND", f"--log-net-log={folder}/net.json",
             f"--user-data-dir={folder}/profile", "--dump-dom"]  # fmt: skip
    done = subprocess.run([program, *flags, url], capture_output=True, text=True, timeout=90, check=True)
    log = (folder / "net.json").read_text(errors="replace")
    asked = re.findall(r'"SiteForCookies: {site=file://[^"]*","url":"((?!file:)[^"]*)"', log)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line], asked


def test_in_a_browser(place, tmp_path):
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no chromium on this machine")
    for name in ("noisy", "report"):
        (tmp_path / name).mkdir()
    noisy = tmp_path / "noisy.html"
    noisy.write_text("<img src='http://nowhere.invalid/x.png'><script>console.error('boo')</script>")
    _, console, asked = browse(program, noisy.as_uri(), tmp_path / "noisy")
    assert console, "this browser does not say what went wrong, so its silence proves nothing"
    assert "http://nowhere.invalid/x.png" in asked
    dom, console, asked = browse(program, Path(place.path("report.html")).as_uri(), tmp_path / "report")
    assert (console, asked) == ([], [])
    for name in SECTIONS:
        assert f'id="{name}"' in dom
