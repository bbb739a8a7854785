"""The door for HTTP: rule sets, and what a judgement was computed from."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.services.creditx.judging.rule_set import rule_set, shipped
from ecosystem.services.creditx.judging.schemas import JudgementShown, RuleSetListed, RuleSetShown, RuleSetsShown
from ecosystem.services.creditx.judging.service import JudgingService

Reader = Annotated[Principal, Depends(requires("documents:read", company=True))]

# Rule sets are the platform's, the same for every company.
Anybody = Annotated[Principal, Depends(requires("documents:read"))]


def router(service: JudgingService) -> APIRouter:
    routes = APIRouter(tags=["rules"])

    @routes.get("/v1/rule-sets")
    async def list_rule_sets(_: Anybody) -> RuleSetsShown:
        """Every version of the rule sets that documents are or were judged by; `current` are those for new ones."""
        return RuleSetsShown(
            items=[
                RuleSetListed.of(entry, current=entry is versions[-1])
                for versions in shipped().values()
                for entry in versions
            ]
        )

    @routes.get("/v1/rule-sets/{name}")
    async def show_rule_set(
        name: str, _: Anybody, version: Annotated[int | None, Query(ge=1, description="Default: the newest.")] = None
    ) -> RuleSetShown:
        """One version of a rule set with its text."""
        entry = rule_set(name, version)
        listed = RuleSetListed.of(entry, current=entry is shipped()[name][-1])
        return RuleSetShown(**listed.model_dump(), text=entry.text)

    @routes.get("/v1/documents/{document_id}/judgement")
    async def show_judgement(document_id: UUID, _: Reader) -> JudgementShown:
        """The judgement of the rules with all that it was computed from, so that it can be recomputed."""
        return JudgementShown.of(await service.show(document_id))

    return routes
