"""What an instance says of itself at its plain port: some of its metrics, as samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from ecosystem.kernel import context
from ecosystem.kernel.registry.instance import Instance

_SECONDS = 1.0
_BYTES_MAX = 4 * 1024 * 1024


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
    lines = "\n".join(line for line in text.splitlines() if line.startswith(starts))
    return [
        Sample(sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(f"{lines}\n")
        for sample in family.samples
    ]
