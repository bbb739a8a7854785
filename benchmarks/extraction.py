"""Extraction: how exactly specimens are read that were never seen before, by kind, field and quality.

`--seed` chooses them (`specimens.selections.corpus`); images are read by OCR first, as the platform does. A field is
exact where its normalised value is the truth's. Confidently wrong is a value with a confidence of 0.9 or more that is
wrong, or that the truth does not have, as a share of all fields.

Baseline, on the same documents in the same run: `label: value` searched line by line in pdfium's plain text (or OCR's),
told the right kind and given the same labels and the same readers of values. Bars are on our own exactness, not on the
ratio to it.
"""

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pypdfium2

from benchmarks._report import closing_line
from ecosystem.services.creditx.reading import extraction, ocr
from ecosystem.services.creditx.reading.kinds import KindOf, kind_of
from ecosystem.services.creditx.reading.labels import folded, label_before
from ecosystem.services.creditx.reading.typed import Habits, read_as, read_range
from specimens.model import USUAL, Quality, Specimen
from specimens.selections import corpus

BARS = {"text": 0.97, "scan_200": 0.90, "photo": 0.80, "photo_hard": 0.80}
CONFIDENTLY_WRONG_MAX = 0.005
CONFIDENT = 0.9
FIELDS_MIN = 2_000
COUNT = 250
PROCESSES = 2
_PAGES_PER_CALL = 4
_WORST_SHOWN = 12


@dataclass
class Tally:
    """Of one slice of the corpus: fields, exact ones, ours and the baseline's."""

    fields: int = 0
    exact: int = 0
    baseline_exact: int = 0

    def add(self, *, exact: bool, baseline_exact: bool) -> None:
        self.fields += 1
        self.exact += exact
        self.baseline_exact += baseline_exact

    @property
    def exactness(self) -> float:
        return self.exact / max(self.fields, 1)

    @property
    def baseline(self) -> float:
        return self.baseline_exact / max(self.fields, 1)


@dataclass
class Compared:
    """One specimen against its truth: by field whether ours and the baseline's are exact; what is confidently wrong."""

    kind: str
    quality: str
    fields: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    confident: int = 0
    confidently_wrong: list[str] = field(default_factory=list)
    baseline_wrong: int = 0
    seconds: float = 0.0


def main() -> None:
    chosen = _arguments()
    qualities = [Quality(quality) for quality in chosen.qualities.split(",")]
    specimens = corpus(chosen.seed, chosen.count, datetime.now(UTC).date(), qualities=qualities)
    started = time.perf_counter()
    with ProcessPoolExecutor(PROCESSES, initializer=_prepare) as pool:
        compared = list(_in_turn(pool, specimens, chosen.engine, started + chosen.seconds))
    print(f"{len(compared)} documents in {time.perf_counter() - started:.0f} s on {PROCESSES} cores")
    _show(compared)
    _close(compared, chosen)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=COUNT, help="documents; kinds, qualities and languages in turn")
    parser.add_argument("--engine", default="rapidocr", help="rapidocr, tesseract or auto")
    parser.add_argument("--qualities", default=",".join(USUAL), help="which of them, with commas between")
    parser.add_argument("--seconds", type=float, default=3600, help="take no further documents after this long")
    parser.add_argument("--rounds", type=int, default=1, help="as other benchmarks take it; a corpus is one round")
    return parser.parse_args()


def _prepare() -> None:
    extraction.prepare_sandbox()
    ocr.prepare_sandbox()


def _in_turn(pool: ProcessPoolExecutor, specimens: Iterator[Specimen], engine: str, ends: float) -> Iterator[Compared]:
    """A few specimens at a time, so that a large corpus does not lie in memory."""
    while time.perf_counter() < ends and (batch := list(islice(specimens, 4 * PROCESSES))):
        yield from pool.map(compare, batch, [engine] * len(batch))


def compare(specimen: Specimen, engine: str) -> Compared:
    started = time.perf_counter()
    truth = specimen.as_json()
    quality = str(truth["quality"])
    texts = [] if quality == Quality.TEXT else _page_texts(specimen, len(truth["pages"]), engine)
    # Nothing is known of the company: the document itself must show how it writes its dates.
    reading = extraction.extract(
        specimen.content, media_type=specimen.media_type, date_order="DMY", page_texts=texts
    )  # fmt: skip
    found = Compared(str(truth["kind"]), quality, seconds=time.perf_counter() - started)
    plain = _plain_lines(specimen, texts)
    read = {value["name"]: value for value in reading["values"]}
    kind = kind_of(found.kind)
    for name, value in truth["fields"].items():
        ours = read.get(name)
        theirs = _by_label(plain, kind, name, texts) if kind else None
        exact = ours is not None and ours["value"] == value
        found.fields[name] = (exact, theirs == value)
        found.baseline_wrong += theirs is not None and theirs != value
    for name, ours in read.items():
        if ours["confidence"] >= CONFIDENT:
            found.confident += 1
            if ours["value"] != truth["fields"].get(name):
                found.confidently_wrong.append(f"{specimen.name}: {name}")
    return found


def _page_texts(specimen: Specimen, pages: int, engine: str) -> list[dict[str, Any]]:
    numbers = list(range(1, pages + 1))
    batches = [numbers[start : start + _PAGES_PER_CALL] for start in range(0, pages, _PAGES_PER_CALL)]
    return [
        text
        for batch in batches
        for text in ocr.read_pages(specimen.content, media_type=specimen.media_type, pages=batch, engine=engine)
    ]


def _plain_lines(specimen: Specimen, texts: Sequence[Mapping[str, Any]]) -> list[str]:
    if texts:
        return [str(line["text"]) for text in texts for line in text["lines"]]
    with pypdfium2.PdfDocument(specimen.content) as document:
        return [line for page in document for line in page.get_textpage().get_text_range().splitlines()]


def _by_label(lines: Sequence[str], kind: KindOf, name: str, texts: Sequence[Any]) -> str | None:
    """The baseline: what follows the first of the field's labels on its line, as the field's type."""
    habits = Habits("DMY", ocr=bool(texts))
    for owner, field_of in kind.fields.items():
        if owner != name and name not in field_of.into:
            continue
        for line in lines:
            begun = label_before(line, kind.labels)
            if not begun or owner not in begun[1]:
                continue
            text = line[begun[0] :].lstrip(" :")
            if field_of.into:
                pair = read_range(text, habits)
                read = pair[field_of.into.index(name)] if pair else None
            else:
                read = read_as(field_of.type, text, habits) if folded(text) else None
            if read:
                return read.value
    return None


def _show(compared: Sequence[Compared]) -> None:
    """Exactness by quality and kind, then the worst fields."""
    slices: dict[tuple[str, str], Tally] = {}
    fields: dict[tuple[str, str, str], Tally] = {}
    for one in compared:
        for name, (exact, baseline) in one.fields.items():
            for tally in (
                slices.setdefault((one.quality, one.kind), Tally()),
                fields.setdefault((one.quality, one.kind, name), Tally()),
            ):
                tally.add(exact=exact, baseline_exact=baseline)
    for (quality, kind), tally in sorted(slices.items()):
        print(f"{quality:9} {kind:30} {tally.exactness:6.3f}  baseline {tally.baseline:6.3f}  of {tally.fields}")
    worst = sorted(fields.items(), key=lambda item: item[1].exactness)[:_WORST_SHOWN]
    for (quality, kind, name), tally in worst:
        if tally.exactness < 1:
            print(f"  {quality:9} {kind}.{name}: {tally.exactness:.3f} of {tally.fields}")
    for name in [name for one in compared for name in one.confidently_wrong]:
        print(f"  confidently wrong: {name}")


def _close(compared: Sequence[Compared], chosen: argparse.Namespace) -> None:
    by_quality: dict[str, Tally] = {}
    seconds: dict[str, float] = {}
    for one in compared:
        seconds[one.quality] = seconds.get(one.quality, 0.0) + one.seconds
        for exact, baseline in one.fields.values():
            by_quality.setdefault(one.quality, Tally()).add(exact=exact, baseline_exact=baseline)
    settings = {"seed": chosen.seed, "engine": chosen.engine, "bar_on": "ours", "baseline": "label and value on a line"}
    for quality, tally in by_quality.items():
        documents = sum(one.quality == quality for one in compared)
        closing_line(
            "extraction", quality, "share of fields exact", "higher",
            [{"ours": tally.exactness, "baseline": tally.baseline}], BARS.get(quality, 0.0), settings, bar_on="ours",
            fields=tally.fields, documents=documents, seconds_per_document=round(seconds[quality] / documents, 3),
        )  # fmt: skip
    total = sum(tally.fields for tally in by_quality.values())
    wrong = sum(len(one.confidently_wrong) for one in compared)
    closing_line(
        "extraction", "confidently_wrong", "share of fields", "lower",
        [{"ours": wrong / total, "baseline": sum(one.baseline_wrong for one in compared) / total}],
        CONFIDENTLY_WRONG_MAX, settings | {"enough_fields": total >= FIELDS_MIN}, bar_on="ours",
        fields=total, confident=sum(one.confident for one in compared),
    )  # fmt: skip


if __name__ == "__main__":
    main()
