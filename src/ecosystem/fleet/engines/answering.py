"""What a server that was given by its URL says of itself. Never tells the URL: it may hold a password."""

from collections.abc import Callable

from ecosystem.fleet.errors import EngineFailed, EngineMissing

_ANSWER_SECONDS = 3
_POSTGRES_LEAST, _CACHE_LEAST = 17, 7


def postgres_version(url: str) -> str:
    """`17.5`. Raises EngineFailed where nothing answers, EngineMissing where it is older than version 17."""
    import psycopg  # here, because only `eco doctor` asks, and only for a server by URL

    try:
        with psycopg.connect(url, connect_timeout=_ANSWER_SECONDS) as connection:
            major, minor = divmod(connection.info.server_version, 10_000)
    except psycopg.OperationalError as error:
        raise _silent("database", str(error)) from error
    except psycopg.Error as error:
        raise _silent("database", "it is no URL of PostgreSQL") from error
    return _sufficient("PostgreSQL", f"{major}.{minor}", _POSTGRES_LEAST)


def cache_version(url: str) -> str:
    """`8.1.8`. Raises EngineFailed where nothing answers, EngineMissing where it speaks less than Redis 7."""
    import redis

    try:
        with redis.Redis.from_url(
            url, socket_timeout=_ANSWER_SECONDS, socket_connect_timeout=_ANSWER_SECONDS, decode_responses=True
        ) as client:
            said = client.info("server")
    except (redis.RedisError, OSError) as error:
        raise _silent("cache", str(error)) from error
    except ValueError as error:
        raise _silent("cache", "it is no URL of a cache") from error
    assert isinstance(said, dict)  # a client that is not asynchronous answers at once
    return _sufficient("Redis", str(said.get("valkey_version") or said["redis_version"]), _CACHE_LEAST)


def _sufficient(engine: str, version: str, least: int) -> str:
    if int(version.split(".")[0]) < least:
        raise EngineMissing(
            f"the server of its URL is {engine} {version}", suggestion=f"Use a server of version {least} or newer."
        )
    return version


def _silent(section: str, why: str) -> EngineFailed:
    return EngineFailed(
        f"the server of its URL does not answer: {' '.join(why.split())}",
        suggestion=f"Start that server, or correct {section}.url; without one the fleet brings its own.",
    )


ASKED: dict[str, Callable[[str], str]] = {"postgresql": postgres_version, "cache": cache_version}
