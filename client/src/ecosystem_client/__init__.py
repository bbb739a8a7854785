"""The typed client of Ecosystem's public API: `Ecosystem`, and `AsyncEcosystem` with the same methods to be awaited."""

from ecosystem_client._async.client import AsyncEcosystem, claim_first_administrator_async
from ecosystem_client._sync.client import Ecosystem, claim_first_administrator
from ecosystem_client.errors import ApiError, ConnectionFailed, EcosystemFailure, FollowTimedOut, NotSendable
from ecosystem_client.retry import Retries

__all__ = [
    "ApiError",
    "AsyncEcosystem",
    "ConnectionFailed",
    "Ecosystem",
    "EcosystemFailure",
    "FollowTimedOut",
    "NotSendable",
    "Retries",
    "claim_first_administrator",
    "claim_first_administrator_async",
]
