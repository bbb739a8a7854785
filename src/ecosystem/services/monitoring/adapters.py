"""What instances say of themselves at their plain port."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from ecosystem.kernel import context
from ecosystem.kernel.registry.instance import Instance
from ecosystem.services.monitoring.model import Counted

_SECONDS = 1.0
_BYTES_MAX = 4 * 1024 * 1024
_REQUESTS = "http_requests_total"


class InstanceMetrics:
    """Reads `/metrics` of one instance, bounded in time and size."""

    async def counted(self, instance: Instance) -> Counted | None:
        """None where it does not answer in time, or not with metrics."""
        context.refuse_in_unit_of_work("HTTP")
        url = f"http://{instance.host}:{instance.plain_port}/metrics"
        try:
            async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as client, client.stream("GET", url) as got:
                body = b""
                async for piece in got.aiter_bytes():
                    body += piece
                    if len(body) > _BYTES_MAX:
                        return None
            return read(body.decode()) if got.status_code == httpx.codes.OK else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            return None


def read(text: str) -> Counted:
    """Requests and errors out of the Prometheus text format. Raises ValueError where it is none."""
    requests = errors = 0.0
    lines = "\n".join(line for line in text.splitlines() if line.startswith(f"{_REQUESTS}{{"))
    for family in text_string_to_metric_families(f"{lines}\n"):
        for sample in family.samples:
            requests += sample.value
            errors += sample.value if sample.labels.get("status", "").startswith("5") else 0
    return Counted(requests, errors)
