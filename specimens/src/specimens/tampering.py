"""What someone does to a PDF afterwards: an amount altered in an editor, a page taken out."""

import base64
import re
import zlib
from datetime import date

_OBJECT = re.compile(rb"(\d+) 0 obj\n<<(?:(?!endobj).)*?>>\nstream\n(.*?)endstream", re.DOTALL)
_OTHER_FONT = {"Helvetica": "Times-Roman", "Times": "Helvetica", "Courier": "Helvetica"}


class NotPrinted(ValueError):
    """The text to alter is not in the file as one piece of a font that every reader knows."""


def alter(pdf: bytes, printed: str, altered: str, font: str, day: date) -> bytes:
    """Replace `printed` by `altered` of the same length as an editor does: in an update behind the end of the file.

    What differs is set in another font, the rest stays. `font` is the family in which `printed` is set, `day` that of
    the alteration.

    Raises:
        NotPrinted: it is not there.
    """
    for found in _OBJECT.finditer(pdf):
        number, stream = int(found[1]), _decoded(found[2])
        was = f"({_escaped(printed)}) Tj".encode("cp1252")
        if stream is None or was not in stream:
            continue
        at = stream.index(was)
        setting = re.findall(rb"(/F\d+\+?\d*) ([\d.]+) Tf", stream[:at])[-1]
        pieces = _pieces(printed, altered, setting[0].decode(), setting[1].decode())
        return _updated(pdf, number, stream.replace(was, pieces, 1), _other(font), day)
    raise NotPrinted(f"{len(printed)} characters are not in the file as one piece.")


def _other(font: str) -> str:
    return next(other for family, other in _OTHER_FONT.items() if font.startswith(family))


def _decoded(stream: bytes) -> bytes | None:
    """What reportlab packs: deflated, then in ASCII 85."""
    try:
        return zlib.decompress(base64.a85decode(stream.strip().removesuffix(b"~>")))
    except (ValueError, zlib.error):
        return None


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _pieces(printed: str, altered: str, font: str, size: str) -> bytes:
    first = next(at for at, (was, now) in enumerate(zip(printed, altered, strict=True)) if was != now)
    behind = next(at for at in range(len(printed), 0, -1) if printed[at - 1] != altered[at - 1])
    parts = (altered[:first], altered[first:behind], altered[behind:])
    texts = [_escaped(part) for part in parts]
    return f"({texts[0]}) Tj /Falt {size} Tf ({texts[1]}) Tj {font} {size} Tf ({texts[2]}) Tj".encode("cp1252")


def _updated(pdf: bytes, content: int, stream: bytes, font: str, day: date) -> bytes:
    """An incremental save: new versions of the content, of the fonts, and of what is said about the file."""
    size = int(_last(rb"/Size (\d+)", pdf))
    before = int(_last(rb"startxref\s+(\d+)", pdf))
    root, info = _last(rb"/Root (\d+) 0 R", pdf), _last(rb"/Info (\d+) 0 R", pdf)
    fonts = re.search(rb"\n(\d+) 0 obj\n<<\s*(/F1 .*?)>>", pdf, re.DOTALL)
    assert fonts is not None
    packed = zlib.compress(stream)
    about = re.search(rb"\n%d 0 obj\n(<<.*?>>)\nendobj" % int(info), pdf, re.DOTALL)
    assert about is not None
    stamp = f"/ModDate (D:{day:%Y%m%d}101500+00'00')".encode()
    changed = re.sub(rb"/ModDate \(.*?\)", stamp, about[1])
    changed = re.sub(rb"/Producer \(.*?\)\s*(?=/|>>)", b"/Producer (PDF Editor 7.2)", changed, flags=re.DOTALL)
    objects = {
        content: b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(packed), packed),
        int(fonts[1]): b"<< %s /Falt %d 0 R >>" % (fonts[2].strip(), size),
        int(info): changed,
        size: f"<< /Type /Font /Subtype /Type1 /BaseFont /{font} /Encoding /WinAnsiEncoding >>".encode(),
    }
    output, offsets = bytearray(pdf if pdf.endswith(b"\n") else pdf + b"\n"), {}
    for number, body in sorted(objects.items()):
        offsets[number] = len(output)
        output += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(output)
    output += b"xref\n"
    for number, offset in offsets.items():
        output += b"%d 1\n%010d 00000 n \n" % (number, offset)
    trailer = f"trailer\n<< /Size {size + 1} /Root {root.decode()} 0 R /Info {info.decode()} 0 R /Prev {before} >>\n"
    return bytes(output) + trailer.encode() + f"startxref\n{start}\n%%EOF\n".encode()


def _last(pattern: bytes, pdf: bytes) -> bytes:
    found = re.findall(pattern, pdf)
    assert found
    return bytes(found[-1])
