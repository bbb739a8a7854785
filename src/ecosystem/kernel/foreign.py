"""Exceptions that are not ours, in one table: what repeating the same operation could change about each.

Read from the top: the first line that fits decides. A name fits its subclasses too. What fits no line is unknown: it
is treated like a transient failure for `UNKNOWN_ATTEMPTS_MAX` attempts, then a person looks at it.
Kinds are those of `errors.Kind`, as words: this module knows nobody, so that `errors` may use it.
"""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TRANSIENT, PERMANENT = "transient", "permanent"
UNKNOWN_ATTEMPTS_MAX = 3


@dataclass(frozen=True)
class Rule:
    """`name` is the dotted name of a class; `mark` narrows it to one of its states, `fits` finds that state."""

    name: str
    kind: str
    why: str
    mark: str = ""


def _sqlstate(error: Any) -> str:
    return str(getattr(error, "sqlstate", None) or "")


def _errno(error: Any) -> str:
    return errno.errorcode.get(getattr(error, "errno", None) or 0, "")


def _status(error: Any) -> str:
    return str(getattr(getattr(error, "response", None), "status_code", ""))


def _grpc(error: Any) -> str:
    code = getattr(error, "code", None)
    return str(getattr(code(), "name", "")) if callable(code) else ""


# How the state of an error is read, by the class that has it; a mark is the beginning of that state.
_STATES: dict[str, Callable[[Any], str]] = {
    "psycopg.Error": _sqlstate, "builtins.OSError": _errno, "httpx.HTTPStatusError": _status,
    "grpc.RpcError": _grpc,
}  # fmt: skip

TABLE: tuple[Rule, ...] = (
    Rule("builtins.TimeoutError", TRANSIENT, "the work did not end in time"),
    Rule("builtins.ConnectionError", TRANSIENT, "the other side was not there"),
    Rule("asyncio.exceptions.IncompleteReadError", TRANSIENT, "the other side ended in the middle"),
    Rule("ssl.SSLCertVerificationError", PERMANENT, "the other side is not who it should be"),
    Rule("ssl.SSLError", TRANSIENT, "the handshake broke off"),
    Rule("socket.gaierror", TRANSIENT, "a name could not be resolved"),
    Rule("builtins.OSError", TRANSIENT, "the disk is full", "ENOSPC"),
    Rule("builtins.OSError", TRANSIENT, "the quota of the disk is used up", "EDQUOT"),
    Rule("builtins.OSError", TRANSIENT, "too many files are open", "EMFILE"),
    Rule("builtins.OSError", TRANSIENT, "too many files are open on this machine", "ENFILE"),
    Rule("builtins.OSError", TRANSIENT, "the network is not reachable", "ENETUNREACH"),
    Rule("builtins.OSError", TRANSIENT, "the host is not reachable", "EHOSTUNREACH"),
    Rule("builtins.PermissionError", PERMANENT, "this account may not"),
    Rule("psycopg.Error", TRANSIENT, "the connection to the database was lost", "08"),
    Rule("psycopg.Error", TRANSIENT, "others wrote the same rows", "40"),
    Rule("psycopg.Error", TRANSIENT, "the server lacks room, memory or connections", "53"),
    Rule("psycopg.Error", TRANSIENT, "a lock was not to be had", "55P03"),
    Rule("psycopg.Error", TRANSIENT, "the server is being stopped or ended the session", "57"),
    Rule("psycopg.Error", PERMANENT, "a value does not fit its type", "22"),
    Rule("psycopg.Error", PERMANENT, "a constraint is broken", "23"),
    Rule("psycopg.Error", PERMANENT, "the login was refused", "28"),
    Rule("psycopg.Error", PERMANENT, "the statement is wrong or not allowed", "42"),
    Rule("psycopg.OperationalError", TRANSIENT, "the connection to the database was lost"),
    Rule("sqlalchemy.exc.TimeoutError", TRANSIENT, "every connection of the pool is in use"),
    Rule("redis.exceptions.AuthenticationError", PERMANENT, "the login was refused"),
    Rule("redis.exceptions.ConnectionError", TRANSIENT, "the cache was not there"),
    Rule("redis.exceptions.TimeoutError", TRANSIENT, "the cache did not answer in time"),
    Rule("httpx.HTTPStatusError", TRANSIENT, "the other side did not hear the request in time", "408"),
    Rule("httpx.HTTPStatusError", TRANSIENT, "the other side asks to wait", "429"),
    Rule("httpx.HTTPStatusError", PERMANENT, "the other side refused the request", "4"),
    Rule("httpx.HTTPStatusError", TRANSIENT, "the other side failed", "5"),
    Rule("httpx.UnsupportedProtocol", PERMANENT, "the address is malformed"),
    Rule("httpx.TransportError", TRANSIENT, "the other side was not there"),
    Rule("grpc.RpcError", TRANSIENT, "the agent was not there", "UNAVAILABLE"),
    Rule("grpc.RpcError", TRANSIENT, "the agent did not answer in time", "DEADLINE_EXCEEDED"),
    Rule("grpc.RpcError", TRANSIENT, "the agent has no room now", "RESOURCE_EXHAUSTED"),
    Rule("grpc.RpcError", TRANSIENT, "another was first", "ABORTED"),
    Rule("grpc.RpcError", PERMANENT, "the request is malformed", "INVALID_ARGUMENT"),
    Rule("grpc.RpcError", PERMANENT, "the caller is not known", "UNAUTHENTICATED"),
    Rule("grpc.RpcError", PERMANENT, "the caller may not", "PERMISSION_DENIED"),
    Rule("grpc.RpcError", PERMANENT, "there is no such call", "UNIMPLEMENTED"),
    Rule("pydantic_core._pydantic_core.ValidationError", PERMANENT, "the data does not fit its schema"),
    Rule("json.decoder.JSONDecodeError", PERMANENT, "the text is no JSON"),
    Rule("builtins.UnicodeError", PERMANENT, "the bytes are no text"),
    Rule("cryptography.exceptions.InvalidTag", PERMANENT, "the ciphertext or its key is another"),
)


def rule_of(error: BaseException) -> Rule | None:
    """The line that decides about a foreign exception. SQLAlchemy's wrapping is looked through."""
    inner = getattr(error, "orig", None)
    if isinstance(inner, BaseException):
        error = inner
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    for rule in TABLE:
        if rule.name in names and (not rule.mark or _STATES[rule.name](error).startswith(rule.mark)):
            return rule
    return None


def rule_named(name: str) -> Rule | None:
    """The line for a dotted name alone, without its state."""
    name = _KNOWN_AS.get(name, name)
    return next((rule for rule in TABLE if rule.name == name and not rule.mark), None)


# What people call a class that says it lives elsewhere.
_KNOWN_AS = {
    "pydantic.ValidationError": "pydantic_core._pydantic_core.ValidationError",
    "json.JSONDecodeError": "json.decoder.JSONDecodeError",
    "asyncio.IncompleteReadError": "asyncio.exceptions.IncompleteReadError",
}
