"""Files that are no attack and yet no ordinary document, each made from nothing."""

import io
import zlib
from pathlib import Path
from typing import Any

import reportlab
from PIL import Image, ImageDraw
from pypdf import PdfWriter
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from tests.services.creditx import files

FIVE_METRES_POINTS = 14_173


def as_file(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def marked(mode: str = "RGB", size: tuple[int, int] = (120, 80)) -> Image.Image:
    """White with a black square in the upper left corner."""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((4, 4, 23, 23), fill="black")
    return image if mode == "RGB" else image.convert(mode)


def sixteen_bits() -> Image.Image:
    return marked("L").convert("I").point(lambda value: value * 257).convert("I;16")


def see_through() -> Image.Image:
    """The square on nothing at all."""
    image = Image.new("RGBA", (120, 80), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((4, 4, 23, 23), fill=(0, 0, 0, 255))
    return image


def lying_on_its_side() -> bytes:
    """As a camera stores it that was held upright: rows are columns, and EXIF says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return as_file(marked(size=(80, 120)).transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)


def with_a_preview() -> bytes:
    """A camera's JPEG with a second picture behind it."""
    return as_file(marked(), "MPO", save_all=True, append_images=[marked(size=(60, 40))])


def animated() -> bytes:
    return as_file(marked(), "PNG", save_all=True, append_images=[Image.new("RGB", (120, 80))])


def twenty_thousand_square() -> bytes:
    return as_file(Image.new("1", (20_000, 20_000)), "PNG")


def hundred_thousand_objects() -> bytes:
    return files.with_objects(*[b"<</A 1>>"] * 100_000)


def letters_without_names(text: str) -> bytes:
    """Print that anybody can read, in a font that does not say which letter is which."""
    program = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
    glyphs = TTFont("Vera", str(program)).face.charToGlyph
    shown = b"BT /F 12 Tf 10 100 Td <" + b"".join(b"%04x" % glyphs[ord(letter)] for letter in text) + b"> Tj ET"
    data = program.read_bytes()
    return files.with_objects(
        files.a_stream(b"", shown),
        b"<</Type/Font/Subtype/Type0/BaseFont/Vera/Encoding/Identity-H/DescendantFonts[6 0 R]>>",
        b"<</Type/Font/Subtype/CIDFontType2/BaseFont/Vera/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)"
        b"/Supplement 0>>/FontDescriptor 7 0 R/CIDToGIDMap/Identity/DW 640>>",
        b"<</Type/FontDescriptor/FontName/Vera/Flags 4/FontBBox[-183 -236 1287 928]/ItalicAngle 0/Ascent 928"
        b"/Descent -236/CapHeight 730/StemV 80/FontFile2 8 0 R>>",
        files.a_stream(b"/Filter/FlateDecode/Length1 %d" % len(data), zlib.compress(data)),
        page=b"/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>",
    )


def scan_with_text(text: str, *, hidden: bool) -> bytes:
    """A page that is one picture, with text over it, painted or not."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(400, 300))
    canvas.drawImage(ImageReader(marked(size=(800, 600))), 0, 0, 400, 300)
    written = canvas.beginText(20, 20)
    written.setTextRenderMode(3 if hidden else 0)
    written.textLines(text)
    canvas.drawText(written)
    canvas.save()
    return buffer.getvalue()


def five_metres() -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(FIVE_METRES_POINTS, 300))
    canvas.rect(50, 50, FIVE_METRES_POINTS - 100, 200, fill=1)
    canvas.save()
    return buffer.getvalue()


def attachments_within_attachments() -> bytes:
    content = files.a_pdf("The innermost")
    for _ in range(3):
        writer = PdfWriter(io.BytesIO(files.a_pdf("A cover")))
        writer.add_attachment("inside.pdf", content)
        buffer = io.BytesIO()
        writer.write(buffer)
        content = buffer.getvalue()
    return content


def with_password() -> bytes:
    writer = PdfWriter(io.BytesIO(files.a_pdf("Secret")))
    writer.encrypt("correct horse", algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()
