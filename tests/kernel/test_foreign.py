"""Goal: one table says what repeating could change about a foreign error. Method: real exceptions of each library."""

import errno
import json
import ssl
from typing import Any

import grpc
import httpx
import psycopg
import pydantic
import pytest
import redis.exceptions
from sqlalchemy import exc

from ecosystem.kernel.errors import Invalid, Kind, describe, is_last
from ecosystem.kernel.foreign import TABLE, rule_named, rule_of


class NoSuchRow(psycopg.errors.UndefinedTable):
    """One that a driver would make itself."""


class Answered(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code


def an_answer(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "http://service.test")
    return httpx.HTTPStatusError("refused", request=request, response=httpx.Response(status))


def a_wrong_model() -> Exception:
    class Model(pydantic.BaseModel):
        pages: int

    try:
        Model.model_validate({"pages": "amy@example.org"})
    except pydantic.ValidationError as error:
        return error
    raise AssertionError


def wrapped(error: psycopg.Error) -> exc.DBAPIError:
    return exc.DBAPIError("select", {}, error)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), Kind.TRANSIENT), (ConnectionResetError(), Kind.TRANSIENT),
        (OSError(errno.ENOSPC, "full"), Kind.TRANSIENT), (OSError(errno.EINVAL, "odd"), Kind.UNKNOWN),
        (PermissionError(errno.EACCES, "no"), Kind.PERMANENT), (ssl.SSLError(), Kind.TRANSIENT),
        (ssl.SSLCertVerificationError(), Kind.PERMANENT),
        (psycopg.errors.DiskFull(), Kind.TRANSIENT), (psycopg.errors.TooManyConnections(), Kind.TRANSIENT),
        (psycopg.errors.AdminShutdown(), Kind.TRANSIENT), (psycopg.errors.UniqueViolation(), Kind.PERMANENT),
        (psycopg.errors.InvalidPassword(), Kind.PERMANENT), (NoSuchRow(), Kind.PERMANENT),
        (psycopg.OperationalError("gone"), Kind.TRANSIENT), (psycopg.errors.RaiseException(), Kind.UNKNOWN),
        (wrapped(psycopg.errors.NumericValueOutOfRange()), Kind.PERMANENT), (exc.TimeoutError(), Kind.TRANSIENT),
        (redis.exceptions.TimeoutError(), Kind.TRANSIENT), (redis.exceptions.BusyLoadingError(), Kind.TRANSIENT),
        (redis.exceptions.AuthenticationError(), Kind.PERMANENT),
        (httpx.ConnectTimeout("late"), Kind.TRANSIENT), (an_answer(503), Kind.TRANSIENT),
        (an_answer(429), Kind.TRANSIENT), (an_answer(403), Kind.PERMANENT),
        (Answered(grpc.StatusCode.UNAVAILABLE), Kind.TRANSIENT), (Answered(grpc.StatusCode.INTERNAL), Kind.UNKNOWN),
        (Answered(grpc.StatusCode.PERMISSION_DENIED), Kind.PERMANENT), (a_wrong_model(), Kind.PERMANENT),
        (json.JSONDecodeError("odd", "{", 0), Kind.PERMANENT),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "odd"), Kind.PERMANENT),
        (KeyError("mistake"), Kind.UNKNOWN), (Invalid(), Kind.PERMANENT),
    ],
)  # fmt: skip
def test_its_kind(error: BaseException, kind: Kind) -> None:
    assert describe(error).kind is kind


def test_its_text_stays_out_of_the_failure() -> None:
    assert "amy@example.org" not in str(describe(a_wrong_model()))


@pytest.mark.parametrize(
    ("kind", "attempts", "last"),
    [
        (Kind.PERMANENT, 1, True), (Kind.TRANSIENT, 1000, False), (Kind.UNKNOWN, 2, False), (Kind.UNKNOWN, 3, True),
    ],
)  # fmt: skip
def test_how_often_it_is_tried(kind: Kind, attempts: int, last: bool) -> None:
    assert is_last(kind, attempts) is last


def test_every_line_says_why_and_none_hides_another() -> None:
    assert all(rule.why and rule.kind in (Kind.TRANSIENT, Kind.PERMANENT) for rule in TABLE)
    assert len({(rule.name, rule.mark) for rule in TABLE}) == len(TABLE)


def test_a_name_alone_is_looked_up_as_people_write_it() -> None:
    found: dict[str, Any] = {name: rule_named(name) for name in ("json.JSONDecodeError", "lib.Surprise")}

    assert found["lib.Surprise"] is None
    assert found["json.JSONDecodeError"] == rule_of(json.JSONDecodeError("odd", "{", 0))
