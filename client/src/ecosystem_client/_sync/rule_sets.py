"""Rule sets: by what documents are judged."""

from ecosystem_client._sync.caller import Caller
from ecosystem_client.models import RuleSet
from ecosystem_client.request import Request, path_part


class RuleSets:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(self) -> tuple[RuleSet, ...]:
        """Every version that judges or has judged; `current` are those for new documents."""
        return (self._caller.page(RuleSet, "/v1/rule-sets", {})).items

    def get(self, name: str, version: int | None = None) -> RuleSet:
        """One version with its text, the newest unless told. Raises Invalid where there is none."""
        return self._caller.one(
            RuleSet, Request("GET", f"/v1/rule-sets/{path_part(name)}", params={"version": version})
        )
