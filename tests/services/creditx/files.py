"""Files as hostile and careless people send them, each made from nothing."""

import io
import struct
import zipfile
import zlib

from PIL import Image
from pypdf import PdfWriter
from pypdf.generic import NameObject, TextStringObject
from reportlab.pdfgen.canvas import Canvas


def a_pdf(*lines: str, pages: int = 1) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    for number in range(pages):
        for position, line in enumerate(lines or (f"Page {number + 1}",)):
            canvas.drawString(60, 780 - 20 * position, line)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def with_objects(*objects: bytes, catalog: bytes = b"", page: bytes = b"") -> bytes:
    """A PDF written by hand: catalog, one page, then `objects` from number 4 on."""
    bodies = [
        b"<</Type/Catalog/Pages 2 0 R" + catalog + b">>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]" + page + b">>",
        *objects,
    ]
    out, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, start)
    return bytes(out)


def a_stream(head: bytes, data: bytes) -> bytes:
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (head, len(data), data)


def script_in_names() -> bytes:
    return with_objects(
        b"<</Names[(run) 5 0 R]>>", b"<</S/JavaScript/JS(app.alert\\(1\\))>>", catalog=b"/Names<</JavaScript 4 0 R>>"
    )


def script_in_object_stream() -> bytes:
    """The action lies compressed in an object stream, where a search of the bytes sees nothing."""
    inside = b"<</S/JavaScript/JS(app.alert\\(1\\))>>"
    content = b"5 0 " + inside
    packed = a_stream(b"/Type/ObjStm/N 1/First 4/Filter/FlateDecode", zlib.compress(content))
    base = with_objects(packed, catalog=b"/OpenAction 5 0 R")
    head, start = base[: base.rindex(b"xref\n0")], base.rindex(b"xref\n0")
    offsets = [head.index(b"%d 0 obj" % number) for number in range(1, 5)]
    rows = [b"\0" + b"\0\0\0\0" + b"\xff"]
    rows += [b"\x01" + offset.to_bytes(4, "big") + b"\0" for offset in offsets]
    rows += [b"\x02" + (4).to_bytes(4, "big") + b"\0", b"\x01" + start.to_bytes(4, "big") + b"\0"]
    table = a_stream(b"/Type/XRef/Size 7/W[1 4 1]/Root 1 0 R/Filter/FlateDecode", zlib.compress(b"".join(rows)))
    return head + b"6 0 obj\n" + table + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % start


def script_in_annotation() -> bytes:
    return with_objects(
        b"<</Type/Annot/Subtype/Widget/Rect[0 0 9 9]/AA<</E<</S/JavaScript/JS(x)>>>>>>", page=b"/Annots[4 0 R]"
    )


def script_with_escaped_name() -> bytes:
    return with_objects(b"<</S/#4aava#53cript/#4a#53(x)>>", catalog=b"/OpenAction 4 0 R")


def script_in_next_action() -> bytes:
    return with_objects(
        b"<</S/URI/URI(x)/Next[5 0 R]>>", b"<</S/JavaScript/JS 6 0 R>>", a_stream(b"", b"app.alert(1)"),
        catalog=b"/OpenAction 4 0 R",
    )  # fmt: skip


def program_that_starts() -> bytes:
    return with_objects(b"<</S/Launch/F(cmd.exe)>>", catalog=b"/OpenAction 4 0 R")


def script_only_named_in_text() -> bytes:
    """A harmless page that speaks of /JavaScript and /JS."""
    return a_pdf("Never use /JavaScript or /JS in a document.")


def bomb_of_zeros(size: int = 40 << 20) -> bytes:
    packer = zlib.compressobj(9)
    piece = bytes(1 << 20)
    data = b"".join(packer.compress(piece) for _ in range(size >> 20)) + packer.flush()
    return with_objects(a_stream(b"/Filter/FlateDecode", data), page=b"/Contents 4 0 R")


def bomb_in_a_bomb() -> bytes:
    data = zlib.compress(zlib.compress(bytes(64 << 20)))
    return with_objects(a_stream(b"/Filter[/FlateDecode/FlateDecode]", data), page=b"/Contents 4 0 R")


def bomb_behind_ascii() -> bytes:
    import base64

    data = base64.a85encode(zlib.compress(bytes(40 << 20), 9)) + b"~>"
    return with_objects(a_stream(b"/Filter[/ASCII85Decode/FlateDecode]", data), page=b"/Contents 4 0 R")


def drawing_without_end(size: int = 100 << 20) -> bytes:
    """A page of lines: as bytes within the limit, as what a reader makes of them many times as much."""
    packer, piece = zlib.compressobj(9), b"0 0 m 9 9 l S\n" * 75_000
    data = b"".join(packer.compress(piece) for _ in range(size // len(piece))) + packer.flush()
    return with_objects(a_stream(b"/Filter/FlateDecode", data), page=b"/Contents 4 0 R")


def pages_in_a_circle() -> bytes:
    return with_objects().replace(b"/Kids[3 0 R]", b"/Kids[2 0 R]")


def nested_without_end() -> bytes:
    depth = 200_000
    return with_objects(b"[" * depth + b"]" * depth, catalog=b"/Foo(/JS )")


def text_bomb_in_png(kind: bytes, head: bytes, size: int = 200 << 20) -> bytes:
    picture = a_picture("PNG")
    packer = zlib.compressobj(9)
    content = head + b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    before = picture.index(b"IDAT") - 4
    return picture[:before] + chunk + picture[before:]


def huge_picture_in_pdf() -> bytes:
    picture = a_stream(b"/Type/XObject/Subtype/Image/Width 60000/Height 60000/BitsPerComponent 8", b"x")
    return with_objects(picture)


def restricted() -> bytes:
    """Protected without a password to open it: only copying is forbidden."""
    writer = PdfWriter(io.BytesIO(a_pdf()))
    writer.encrypt("", "owner", algorithm="AES-256")
    return _written(writer)


def with_attachment() -> bytes:
    writer = PdfWriter(io.BytesIO(a_pdf()))
    writer.add_attachment("note.txt", b"hello")
    return _written(writer)


def a_picture(kind: str, pages: int = 1, size: tuple[int, int] = (60, 40)) -> bytes:
    buffer = io.BytesIO()
    first = Image.new("L", size, 200)
    more = {"save_all": True, "append_images": [first] * (pages - 1)} if pages > 1 else {}
    first.save(buffer, kind, **more)  # type: ignore[arg-type]
    return buffer.getvalue()


def a_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("run.bat", "echo")
    return buffer.getvalue()


def _written(writer: PdfWriter) -> bytes:
    writer._root_object[NameObject("/Lang")] = TextStringObject("en")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()
