"""What instances say of themselves at their plain port."""

from collections.abc import Iterable

from ecosystem.kernel.http.scraping import Sample, scrape
from ecosystem.kernel.registry.instance import Instance
from ecosystem.services.monitoring.model import Counted

_REQUESTS = "http_requests_total"


class InstanceMetrics:
    async def counted(self, instance: Instance) -> Counted | None:
        """Requests and errors of one instance; None where it does not answer in time, or not with metrics."""
        found = await scrape(instance, (_REQUESTS,))
        return None if found is None else counted(found)


def counted(samples: Iterable[Sample]) -> Counted:
    """Requests and errors among what an instance counts."""
    requests = errors = 0.0
    for sample in samples:
        requests += sample.value
        errors += sample.value if sample.labels.get("status", "").startswith("5") else 0
    return Counted(requests, errors)
