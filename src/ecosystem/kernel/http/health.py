"""Health: is the process alive, can it serve, and which part it lacks."""

from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qs

import orjson
from fastapi.responses import Response

from ecosystem.kernel.telemetry.metrics import Metrics

PATHS = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})


@dataclass
class Health:
    """The present state, written by the runtime. `failing` names each part that is needed and absent, with a reason."""

    service: str
    version: str
    instance_id: str
    started_at: datetime
    state: str = "starting"
    failing: dict[str, str] = field(default_factory=dict)
    checked: dict[str, str] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        return self.state == "ready"

    @property
    def reason(self) -> str:
        return "; ".join(f"{name}: {why}" for name, why in self.failing.items())


def answer(path: str, health: Health, metrics: Metrics, query: str = "") -> Response:
    """The response of one of `PATHS`: `/health/live` as long as the loop turns, `/health/ready` 503 otherwise.

    `query` narrows `/metrics` as Prometheus' own exporters let it: `name[]=http_requests_total`.
    """
    if path == "/metrics":
        return Response(
            metrics.render(parse_qs(query).get("name[]", ())), media_type="text/plain; version=0.0.4; charset=utf-8"
        )
    if path == "/health/live":
        return _json({"status": "alive"}, 200)
    body = {
        "status": health.state, "service": health.service, "version": health.version,
        "instance_id": health.instance_id, "started_at": health.started_at, "failing": health.failing,
        "checks": health.checked,
    }  # fmt: skip
    return _json(body, 200 if health.ready or path == "/health" else 503)


def _json(body: object, status: int) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")
