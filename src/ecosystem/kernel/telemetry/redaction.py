"""The net under "personal data never in logs": what is certainly not an id or a measure is not written."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import SecretStr

HIDDEN = "[hidden]"
_TEXT_LENGTH_MAX = 500
_NAMES = frozenset({
    "account_holder", "account_name", "address", "authorization", "bic", "birth_date", "body", "client_secret",
    "content", "cookie", "credential", "date_of_birth", "email", "file_name", "filename", "full_name", "iban",
    "name_of_person", "password", "payload", "person", "person_name", "phone", "raw", "secret", "token",
})  # fmt: skip
# An IBAN, an address of e-mail, a JSON Web Token, a card or telephone number: each looks like nothing that we write.
_PERSONAL = re.compile(
    r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b|[\w.+-]+@[\w-]+\.[\w.]+|\beyJ[\w-]{8,}\.[\w.-]+"
    r"|\+\d[\d ()./-]{7,}\d"
)


# Most of what is written: ids, codes, numbers, names of ours. None of the forms above fits in it.
_PLAIN = re.compile(r"[a-z0-9_.:/ -]{0,100}").fullmatch


def safe_text(text: str) -> str:
    if _PLAIN(text):
        return text
    text = _PERSONAL.sub(HIDDEN, text)
    return text if len(text) <= _TEXT_LENGTH_MAX else f"{text[:_TEXT_LENGTH_MAX]}…"


def safe(name: str, value: Any) -> Any:
    """`value` as it may be written under `name`: JSON-ready, short, without what is known to be personal."""
    if value is None or isinstance(value, bool | int | float | UUID):
        return value
    if name in _NAMES or isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if isinstance(value, Mapping):
        return {str(key): safe(str(key), item) for key, item in list(value.items())[:50]}
    if isinstance(value, list | tuple | set | frozenset):
        return [safe(name, item) for item in list(value)[:50]]
    if isinstance(value, BaseException):
        return type(value).__name__
    return safe_text(str(value))
