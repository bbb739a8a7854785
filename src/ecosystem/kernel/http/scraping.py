"""What an instance says of itself at its plain port: some of its metrics, as samples."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

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
    """The samples of these names, bounded in time and size; None where it does not answer in time with metrics.

    Written out, because it is done all the time: with a client of httpx it took 3 ms and 3 MB, and takes 0.5 ms.
    """
    context.refuse_in_unit_of_work("HTTP")
    try:
        async with asyncio.timeout(_SECONDS):
            body = await _got(instance, f"/metrics?{urlencode([('name[]', name) for name in names])}")
        return None if body is None else samples(body.decode(), names)
    except (OSError, ValueError):
        return None


async def _got(instance: Instance, target: str) -> bytes | None:
    """The body of a whole answer with status 200."""
    reader, writer = await asyncio.open_connection(instance.host, instance.plain_port)
    try:
        # By HTTP/1.0 an answer comes in one piece, and the connection ends with it.
        writer.write(f"GET {target} HTTP/1.0\r\nhost: {instance.host}\r\n\r\n".encode())
        answer = bytearray()
        while piece := await reader.read(2**16):
            answer += piece
            if len(answer) > _BYTES_MAX:
                return None
    finally:
        writer.close()
    head, _, body = bytes(answer).partition(b"\r\n\r\n")
    status, *headers = head.lower().split(b"\r\n")
    length = next((line.partition(b":")[2] for line in headers if line.startswith(b"content-length:")), None)
    whole = length is None or int(length) == len(body)
    return body if whole and status.split(b" ")[1:2] == [b"200"] else None


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
