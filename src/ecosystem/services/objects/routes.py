"""The door for HTTP: the storage, its retention and what the integrity check found."""

from typing import Annotated

from fastapi import APIRouter, Depends

from ecosystem.kernel.http.pagination import Cursor, Limit, Page, page_of, read_cursor, text
from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.services.objects.schemas import FindingShown, ObjectsShown, StorageShown, SweepShown
from ecosystem.services.objects.service import CareService

Reader = Annotated[Principal, Depends(requires("platform:read"))]


def router(care: CareService) -> APIRouter:
    router = APIRouter(prefix="/v1/engines/objects", tags=["engines"])

    @router.get("")
    async def overview(_: Reader) -> ObjectsShown:
        """Room, retention and the last check of every object; each warning says what to do."""
        found = await care.overview()
        return ObjectsShown(
            healthy=found.storage.writable,
            warnings=found.warnings,
            storage=StorageShown.model_validate(found.storage),
            retention_days=found.retention_days,
            findings=found.findings,
            last_sweep=SweepShown.model_validate(found.last) if found.last else None,
            present_sweep=SweepShown.model_validate(found.present) if found.present else None,
        )

    @router.get("/findings")
    async def findings(_: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[FindingShown]:
        """Objects that are not what was put, by name (company and digest); a restored one disappears from here."""
        (after,) = read_cursor(cursor, text) or ("",)
        found = await care.findings(after, limit + 1)
        kept, following = page_of(found, limit, lambda finding: (finding.name,))
        return Page(items=[FindingShown.model_validate(one) for one in kept], next_cursor=following)

    return router
