"""Rule sets: by what documents are judged."""

from ecosystem_client._async.caller import AsyncCaller
from ecosystem_client.models import RuleSet
from ecosystem_client.request import Request, path_part


class AsyncRuleSets:
    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def list(self) -> tuple[RuleSet, ...]:
        """Every version that judges or has judged; `current` are those for new documents."""
        return (await self._caller.page(RuleSet, "/v1/rule-sets", {})).items

    async def get(self, name: str, version: int | None = None) -> RuleSet:
        """One version with its text, the newest unless told. Raises Invalid where there is none."""
        return await self._caller.one(
            RuleSet, Request("GET", f"/v1/rule-sets/{path_part(name)}", params={"version": version})
        )
