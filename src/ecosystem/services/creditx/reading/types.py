"""The type of a file by its content; the name can only contradict it."""

import re

from ecosystem.services.creditx.reading.refusal import Refused

PDF, JPEG, PNG, TIFF = "application/pdf", "image/jpeg", "image/png", "image/tiff"

_ENDINGS = {PDF: {"pdf"}, JPEG: {"jpg", "jpeg", "jpe", "jfif"}, PNG: {"png"}, TIFF: {"tif", "tiff"}}
_OTHER_ENDINGS = {
    "exe", "dll", "com", "bat", "cmd", "msi", "scr", "ps1", "vbs", "js", "jar", "apk", "sh", "elf", "so", "app", "lnk",
    "zip", "rar", "7z", "gz", "tar", "iso", "img", "html", "htm", "xml", "svg", "txt", "csv", "json", "rtf", "eml",
    "msg", "doc", "docx", "docm", "xls", "xlsx", "xlsm", "ppt", "pptx", "odt", "ods", "gif", "bmp", "webp", "heic",
    "mp3", "mp4", "avi", "mov", "wav", "php", "py", "svgz",
}  # fmt: skip
_EXECUTABLE = (
    b"MZ", b"\x7fELF", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe", b"#!", b"\0asm", b"dex\n", b"L\0\0\0\x01\x14\x02\0", b"!<arch>\n",
)  # fmt: skip
_SPACE = b"\xef\xbb\xbf \t\r\n"
_ZIP_END, _HEAD_BYTES, _ZIP_TAIL_BYTES = b"PK\x05\x06", 1024, 65_557
_MARKUP = re.compile(rb"<(?:!doctype|html|script|svg|\?php)", re.IGNORECASE)


def media_type_of(content: bytes) -> str:
    """The type that the content begins as. Raises Refused for everything else, programs by their own rule."""
    if not content.strip(b"\0"):
        raise Refused("empty_file" if not content else "type_not_supported")
    if content.startswith(_EXECUTABLE):
        raise Refused("executable_refused")
    if content.startswith(b"\xff\xd8\xff"):
        return JPEG
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if content.startswith((b"II*\0", b"MM\0*")):
        return TIFF
    head = content[:_HEAD_BYTES]
    if head.lstrip(_SPACE).startswith(b"%PDF-"):
        return PDF
    if b"%PDF-" in head:
        raise Refused("polyglot_refused")
    raise Refused("type_not_supported")


def refuse_second_type(content: bytes, media_type: str) -> None:
    """Raises Refused where the file is also an archive, a page or (an image) a PDF for whoever reads it so."""
    tail = content[-_ZIP_TAIL_BYTES:]
    position = tail.rfind(_ZIP_END)
    if position >= 0 and len(tail) - position >= 22:
        comment_bytes = int.from_bytes(tail[position + 20 : position + 22], "little")
        if position + 22 + comment_bytes == len(tail):
            raise Refused("polyglot_refused")
    if media_type == PDF:
        after = content[content.rfind(b"%%EOF") + 5 :].lstrip(_SPACE + b"\0") if b"%%EOF" in tail else b""
    else:
        if b"%PDF-" in content[:_HEAD_BYTES]:
            raise Refused("polyglot_refused")
        after = content[_end_of_image(content, media_type) :].lstrip(b"\0")
    if after.startswith((*_EXECUTABLE, b"%PDF-", b"PK\x03\x04", b"Rar!", b"7z")) or _MARKUP.match(after):
        raise Refused("polyglot_refused")


def _end_of_image(content: bytes, media_type: str) -> int:
    mark = {JPEG: b"\xff\xd9", PNG: b"IEND\xaeB`\x82"}.get(media_type)
    position = content.rfind(mark) if mark else -1
    return position + len(mark) if mark and position >= 0 else len(content)


def refuse_contradicting_name(file_name: str, media_type: str) -> None:
    """Raises Refused where the name's ending is known and stands for another type. No ending, no contradiction."""
    ending = file_name.rpartition(".")[2].lower() if "." in file_name else ""
    if ending in _ENDINGS[media_type]:
        return
    if ending in _OTHER_ENDINGS or any(ending in endings for endings in _ENDINGS.values()):
        raise Refused("type_contradicts_name")
