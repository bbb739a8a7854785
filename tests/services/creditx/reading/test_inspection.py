"""Goal: what could harm is refused by the rule it breaks. Method: hostile files, by hand, in the real sandbox."""

from typing import Any

import pytest

from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.services.creditx.reading import types
from ecosystem.services.creditx.reading.refusal import Refused
from tests.services.creditx import files

ELF = b"\x7fELF\x02\x01\x01" + bytes(200)
PDF = files.a_pdf("Hello")
JPEG, PNG, TIFF = files.a_picture("JPEG"), files.a_picture("PNG"), files.a_picture("TIFF")


async def inspect(sandbox: Sandbox, content: bytes, name: str = "file", pages_max: int = 500) -> dict[str, Any]:
    target = "ecosystem.services.creditx.reading.inspection:inspect"
    arguments = {"file_name": name, "pages_max": pages_max, "inflated_bytes_max": 32 << 20}
    answer: dict[str, Any] = await sandbox.run(target, content, arguments)
    return answer


@pytest.mark.parametrize(
    ("content", "name", "media_type", "pages"),
    [
        (PDF, "statement.pdf", types.PDF, 1),
        (PDF, "STATEMENT.PDF", types.PDF, 1),
        (PDF, "no ending", types.PDF, 1),
        (files.a_pdf(pages=3), "v1.2 final", types.PDF, 3),
        (b"\xef\xbb\xbf" + PDF, "bom.pdf", types.PDF, 1),
        (JPEG, "scan.JPG", types.JPEG, 1),
        (PNG, "scan.png", types.PNG, 1),
        (files.a_picture("TIFF", pages=4), "fax.tif", types.TIFF, 4),
        (files.script_only_named_in_text(), "policy.pdf", types.PDF, 1),
        (files.with_attachment(), "more.pdf", types.PDF, 1),
    ],
)
async def test_a_harmless_file_is_what_its_content_says(
    sandbox: Sandbox, content: bytes, name: str, media_type: str, pages: int
) -> None:
    facts = (await inspect(sandbox, content, name))["facts"]

    assert (facts["media_type"], facts["pages"], facts["size_bytes"]) == (media_type, pages, len(content))
    assert facts["has_attachments"] is (name == "more.pdf")


@pytest.mark.parametrize(
    ("rule", "content", "name"),
    [
        ("empty_file", b"", "empty.pdf"),
        ("type_not_supported", bytes(500), "zeros.pdf"),
        ("type_not_supported", b"Dear sir", "letter.pdf"),
        ("type_not_supported", files.a_zip(), "archive.pdf"),
        ("type_not_supported", b"<html><script>alert(1)</script>", "page.pdf"),
        ("type_not_supported", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old.doc"),
        ("truncated_file", PDF[: len(PDF) // 2], "half.pdf"),
        ("truncated_file", PDF[:-8], "tail.pdf"),
        ("truncated_file", b"%PDF-1.7\n", "head.pdf"),
        ("truncated_file", b"%PDF-1.7\nstartxref\n0\n%%EOF", "nothing.pdf"),
        ("truncated_file", JPEG[: len(JPEG) // 2], "half.jpg"),
        ("truncated_file", PNG[:-30], "half.png"),
        ("truncated_file", TIFF[: len(TIFF) // 2], "half.tif"),
        ("truncated_file", b"\xff\xd8\xff" + bytes(100), "fake.jpg"),
        ("type_contradicts_name", PDF, "scan.jpg"),
        ("type_contradicts_name", JPEG, "document.pdf"),
        ("type_contradicts_name", PDF, "setup.exe"),
        ("type_contradicts_name", PDF, "statement.pdf.docx"),
        ("executable_refused", ELF, "statement.pdf"),
        ("executable_refused", b"MZ" + bytes(300), "invoice.pdf"),
        ("executable_refused", b"#!/bin/sh\nrm -rf /\n", "invoice.pdf"),
        ("executable_refused", b"\xca\xfe\xba\xbe" + bytes(60), "a.pdf"),
        ("polyglot_refused", b"GIF89a" + bytes(20) + PDF, "picture.pdf"),
        ("polyglot_refused", PDF + files.a_zip(), "both.pdf"),
        ("polyglot_refused", JPEG + files.a_zip(), "both.jpg"),
        ("polyglot_refused", JPEG + b"<script>alert(1)</script>", "both.jpg"),
        ("polyglot_refused", PNG + PDF, "both.png"),
        ("polyglot_refused", PDF + b"\n<html>", "both.pdf"),
        ("encrypted_document", files.restricted(), "restricted.pdf"),
        ("javascript_refused", files.script_in_names(), "names.pdf"),
        ("javascript_refused", files.script_in_annotation(), "annotation.pdf"),
        ("javascript_refused", files.script_in_object_stream(), "hidden.pdf"),
        ("javascript_refused", files.script_with_escaped_name(), "escaped.pdf"),
        ("javascript_refused", files.script_in_next_action(), "next.pdf"),
        ("launch_refused", files.program_that_starts(), "launch.pdf"),
        ("decompression_bomb", files.bomb_in_a_bomb(), "nested.pdf"),
        ("decompression_bomb", files.huge_picture_in_pdf(), "huge.pdf"),
        ("decompression_bomb", files.text_bomb_in_png(b"zTXt", b"k\0\0"), "text.png"),
        ("decompression_bomb", files.text_bomb_in_png(b"iTXt", b"k\0\1\0\0\0"), "text.png"),
        ("decompression_bomb", files.text_bomb_in_png(b"iCCP", b"k\0\0"), "colours.png"),
        ("too_complex", files.pages_in_a_circle(), "circle.pdf"),
        ("too_complex", files.nested_without_end(), "nested.pdf"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_bad_file_is_refused_by_its_rule(sandbox: Sandbox, rule: str, content: bytes, name: str) -> None:
    assert (await inspect(sandbox, content, name))["refused"] == rule


@pytest.mark.parametrize("bomb", [files.bomb_of_zeros, files.bomb_behind_ascii])
async def test_a_bomb_is_refused_before_it_unfolds(sandbox: Sandbox, bomb: Any) -> None:
    assert await inspect(sandbox, bomb()) == {
        "refused": "decompression_bomb", "limits": {"inflated_bytes_max": 32 << 20},
    }  # fmt: skip


async def test_ten_thousand_pages_are_too_many(sandbox: Sandbox) -> None:
    kids = b"3 0 R " * 10_000
    content = files.with_objects().replace(b"/Kids[3 0 R]/Count 1", b"/Kids[" + kids + b"]/Count 10000")
    content = content[: content.rindex(b"xref\n0")]
    # The offsets have moved; a reader finds the objects again, and so does whoever sends this.
    content += b"trailer<</Root 1 0 R/Size 4>>\nstartxref\n9\n%%EOF\n"

    assert await inspect(sandbox, content) == {"refused": "too_many_pages", "limits": {"pages_max": 500}}
    assert await inspect(sandbox, files.a_pdf(pages=11), pages_max=10) == {
        "refused": "too_many_pages", "limits": {"pages_max": 10},
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
async def test_a_mangled_file_has_an_answer(sandbox: Sandbox, seed: int) -> None:
    """Any bytes end in facts or in a rule; never in a worker that hangs."""
    import random

    rng = random.Random(seed)
    content = bytearray(rng.choice((PDF, JPEG, PNG, TIFF, files.script_in_object_stream())))
    for _ in range(rng.randint(1, 60)):
        content[rng.randrange(len(content))] = rng.randrange(256)

    answer = await inspect(sandbox, bytes(content))

    assert answer.keys() in ({"facts"}, {"refused", "limits"})


def test_the_name_never_makes_a_type() -> None:
    with pytest.raises(Refused) as refused:
        types.media_type_of(b"statement.pdf")

    assert refused.value.rule == "type_not_supported"
