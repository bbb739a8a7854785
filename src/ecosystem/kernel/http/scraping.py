"""What an instance says of itself at its plain port: some of its metrics, as samples."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

from ecosystem.kernel import context
from ecosystem.kernel.registry.instance import Instance

_SECONDS = 1.0
_BYTES_MAX = 4 * 1024 * 1024
# prometheus_client's own parser takes ten times as long, and this is done all the time.
_VALUE = r'"(?:[^"\\]|\\.)*"'
_LABEL = re.compile(rf"(\w+)=({_VALUE})", re.DOTALL)
_LINE = re.compile(rf"([a-zA-Z_:][\w:]*)(?:\{{((?:\w+={_VALUE},?)*)\}})? (\S+)(?: -?\d+)?", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True)
class Sample:
    name: str
    labels: Mapping[str, str]
    value: float


async def scrape(instance: Instance, names: Sequence[str]) -> list[Sample] | None:
    """The samples of these names, bounded in time and size; None where it does not answer in time with metrics."""
    context.refuse_in_unit_of_work("HTTP")
    url = f"http://{instance.host}:{instance.plain_port}/metrics"
    try:
        # Without certificates to load, a client costs next to nothing: the port has no TLS.
        client = httpx.AsyncClient(timeout=_SECONDS, trust_env=False, verify=False)  # noqa: S501
        async with client, client.stream("GET", url, params={"name[]": list(names)}) as got:
            body = b""
            async for piece in got.aiter_bytes():
                body += piece
                if len(body) > _BYTES_MAX:
                    return None
        return samples(body.decode(), names) if got.status_code == httpx.codes.OK else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None


def samples(text: str, names: Sequence[str]) -> list[Sample]:
    """Those of these names out of the Prometheus text format. Raises ValueError where it is none."""
    starts = tuple(f"{name}{sign}" for name in names for sign in "{ ")
    return [_sample(line) for line in text.split("\n") if line.startswith(starts)]


def _sample(line: str) -> Sample:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError("no line of the Prometheus text format")
    labels = {name: _ESCAPED.sub(_unescaped, value[1:-1]) for name, value in _LABEL.findall(found[2] or "")}
    return Sample(found[1], labels, float(found[3]))


def _unescaped(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1]
