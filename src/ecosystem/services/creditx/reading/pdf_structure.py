"""What a PDF is made of, before anybody renders it: whole, unprotected, not a bomb, without what would run.

A first look searches the bytes, object streams unfolded within a limit; it finds too much rather than too little.
Only where it finds something is the document walked object by object (pypdf), to be sure. Source: ISO 32000-2.
"""

import binascii
import io
import re
import zlib
from collections.abc import Iterator
from typing import Any

from pypdf import PdfReader
from pypdf.errors import LimitReachedError
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject

from ecosystem.services.creditx.reading import ascii85
from ecosystem.services.creditx.reading.refusal import Refused

_PIXELS_MAX = 200_000_000
_OBJECTS_MAX = 200_000
_PAGE_TREE_DEPTH_MAX = 100
_TAIL_BYTES = 2048

_STREAM = re.compile(rb"stream\r?\n")
_NAME_ESCAPED = re.compile(rb"/[A-Za-z]*#[0-9A-Fa-f]{2}")
_ACTION = re.compile(rb"/(?:JavaScript|JS|Launch)(?![A-Za-z])")
_REFUSED_ACTIONS = {"/JavaScript": "javascript_refused", "/Launch": "launch_refused"}
_ENCRYPT = re.compile(rb"/Encrypt(?![A-Za-z])")
_FLATE = re.compile(rb"/(?:FlateDecode|Fl)(?![A-Za-z])")
_SIZE = re.compile(rb"/(Width|Height)\s+(\d{1,10})")
_START = re.compile(rb"startxref\s+(\d{1,12})\s+%%EOF")


def refuse_truncated(content: bytes) -> None:
    """Raises Refused unless the end is there and its pointer points into the file."""
    ends = list(_START.finditer(content[-_TAIL_BYTES:]))
    if not ends or int(ends[-1].group(1)) >= len(content):
        raise Refused("truncated_file")


def refuse_dangerous(content: bytes, inflated_bytes_max: int) -> None:
    """Raises Refused for a protected document, a script or the start of a program anywhere in it, or a bomb."""
    suspicious = bool(_ACTION.search(content) or _NAME_ESCAPED.search(content))
    encrypted = bool(_ENCRYPT.search(content))
    inflated_bytes = 0
    for head, data in _streams(content):
        if _pixels(head) > _PIXELS_MAX:
            raise Refused("decompression_bomb", image_pixels_max=_PIXELS_MAX)
        if len(_FLATE.findall(head)) > 1:
            raise Refused("decompression_bomb")
        if b"/LZWDecode" in head:
            inflated_bytes += len(data) * 1500
        is_objects, is_cross_reference = b"/ObjStm" in head, b"/XRef" in head
        if _FLATE.search(head):
            plain, size = _inflate(_without_ascii(head, data), inflated_bytes_max - inflated_bytes, keep=is_objects)
            inflated_bytes += size
            suspicious = suspicious or bool(_ACTION.search(plain) or _NAME_ESCAPED.search(plain))
        elif is_objects or (is_cross_reference and b"/Filter" in head):
            suspicious = True
        if inflated_bytes > inflated_bytes_max:
            raise Refused("decompression_bomb", inflated_bytes_max=inflated_bytes_max)
    if suspicious or encrypted:
        walk(content)


def _streams(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Each stream with its dictionary, as the bytes show them."""
    view = memoryview(content)
    for match in _STREAM.finditer(content):
        if content[max(0, match.start() - 3) : match.start()] == b"end":
            continue
        end = content.find(b"endstream", match.end())
        # A bomb may hide the word; the next stream's begin is no limit for what a decoder would take.
        end = len(content) if end < 0 else end
        begin = max(content.rfind(b" obj", max(0, match.start() - 4096), match.start()), match.start() - 4096, 0)
        yield content[begin : match.start()], view[match.end() : end]


def _pixels(head: bytes) -> int:
    sides = {name: int(number) for name, number in _SIZE.findall(head)}
    return sides.get(b"Width", 0) * sides.get(b"Height", 0)


def _without_ascii(head: bytes, data: memoryview) -> bytes | memoryview:
    try:
        if b"/ASCII85Decode" in head or b"/A85" in head:
            return ascii85.decode(bytes(data).strip().removesuffix(b"~>").removeprefix(b"<~"))
        if b"/ASCIIHexDecode" in head or b"/AHx" in head:
            return binascii.unhexlify(b"".join(bytes(data).partition(b">")[0].split()))
    except ValueError:
        return data
    return data


def _inflate(data: bytes | memoryview, bytes_max: int, *, keep: bool) -> tuple[bytes, int]:
    """The plain bytes (only where they are to be kept) and their number, which stops just beyond the limit."""
    decoder, size, pieces, rest = zlib.decompressobj(), 0, [], data
    try:
        while len(rest) and size <= bytes_max and not decoder.eof:
            piece = decoder.decompress(rest, 1 << 20)
            size += len(piece)
            if keep:
                pieces.append(piece)
            rest = decoder.unconsumed_tail
    except zlib.error:
        pass  # what a viewer would make of it is found out by the one that reads it
    return b"".join(pieces), size


def walk(content: bytes) -> None:
    """Every object of the newest revision. Raises Refused for an action that runs something, for protection, or where
    it cannot be walked."""
    try:
        reader = PdfReader(io.BytesIO(content), strict=False)
        if reader.is_encrypted:
            raise Refused("encrypted_document")
        numbers = {number for generation in reader.xref.values() for number in generation} | set(reader.xref_objStm)
        if len(numbers) > _OBJECTS_MAX:
            raise Refused("too_complex")
        _refuse_actions(reader.trailer.get("/Root"))
        for generation, entries in reader.xref.items():
            for number in filter(None, entries):
                _refuse_actions(reader.get_object(IndirectObject(number, generation, reader)))
        for number in reader.xref_objStm:
            _refuse_actions(reader.get_object(number))
    except (Refused, MemoryError):
        raise
    except RecursionError:
        raise Refused("too_complex") from None
    except LimitReachedError:
        raise Refused("decompression_bomb") from None
    except Exception:
        # What cannot be walked cannot be cleared of what the first look found.
        raise Refused("javascript_refused" if _ACTION.search(content) else "truncated_file") from None


def refuse_tangled_pages(content: bytes) -> None:
    """Raises Refused where the tree of pages leads back into itself, or is deeper than any program makes it."""
    try:
        reader = PdfReader(io.BytesIO(content), strict=False)
        waiting, seen = [(reader.root_object.raw_get("/Pages"), 0)], set()
        while waiting:
            reference, depth = waiting.pop()
            node = reference.get_object()
            if depth > _PAGE_TREE_DEPTH_MAX or id(node) in seen:
                raise Refused("too_complex")
            seen.add(id(node))
            waiting += [(kid, depth + 1) for kid in list.__iter__(node.get("/Kids", ArrayObject()))]
    except (Refused, MemoryError):
        raise
    except RecursionError:
        raise Refused("too_complex") from None
    except Exception:
        return  # what is no tree of pages is damaged


def _refuse_actions(value: Any) -> None:
    """Raises Refused where one stands in this object itself; what it only refers to is an object of its own."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, DictionaryObject | StreamObject):
            if "/JS" in item or "/JavaScript" in item:
                raise Refused("javascript_refused")
            if isinstance(action := item.get("/S"), str) and action in _REFUSED_ACTIONS:
                raise Refused(_REFUSED_ACTIONS[action])
            waiting.extend(dict.values(item))
        elif isinstance(item, ArrayObject):
            waiting.extend(list.__iter__(item))
