"""ASCII85 (ISO 32000-1, 7.4.3): `base64.a85decode`, which goes letter by letter, for a group of five at once."""

import base64
import struct

_BLANKS = b" \t\n\r\v"
_LETTERS = bytes(range(ord("!"), ord("u") + 1))
_DIGITS = bytes.maketrans(_LETTERS, bytes(range(85)))


def decode(text: bytes) -> bytes:
    """What `base64.a85decode(text)` answers. Raises ValueError where it does."""
    letters = text.translate(None, _BLANKS)
    if letters.translate(None, _LETTERS):
        # The short form of four zeros, or what is no letter of it at all.
        return base64.a85decode(text)
    missing = -len(letters) % 5
    digits = (letters + b"u" * missing).translate(_DIGITS)
    groups = zip(digits[0::5], digits[1::5], digits[2::5], digits[3::5], digits[4::5], strict=True)
    words = [(((a * 85 + b) * 85 + c) * 85 + d) * 85 + e for a, b, c, d, e in groups]
    try:
        plain = struct.pack(f">{len(words)}I", *words)
    except struct.error:
        raise ValueError("Ascii85 overflow") from None
    return plain[: len(plain) - missing]
