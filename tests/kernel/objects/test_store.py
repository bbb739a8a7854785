"""Goal: a big store is listed in pages, each at the price of a page. Method: a real folder, pages of every size."""

from pathlib import Path
from typing import Any

import obstore
import pytest

from ecosystem.kernel.objects.store import FolderStore

# With what would be out of order if whole folders were sorted by their names alone.
PATHS = sorted(
    f"{company}/{part}/{name}" for company in ("amy", "bob", "bob-b") for part in ("0", "0-", "f") for name in "abc"
)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    for path in PATHS:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"content")
    return FolderStore(tmp_path)


async def a_page(store: FolderStore, prefix: str | None, after: str | None, size: int) -> list[str]:
    found = list[str]()
    async for stored in store.list(prefix, after):
        found.append(stored.path)
        if len(found) == size:
            break
    return found


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize("prefix", [None, "bob", "nobody"])
async def test_pages_together_are_everything_in_order(store: FolderStore, prefix: str | None, size: int) -> None:
    wanted = [path for path in PATHS if prefix is None or path.startswith(f"{prefix}/")]
    listed, after = list[str](), None
    while page := await a_page(store, prefix, after, size):
        listed += page
        after = page[-1]

    assert listed == wanted


async def test_a_page_reads_the_folders_on_its_way_only(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    read, real = list[str | None](), obstore.list_with_delimiter_async

    async def noted(inside: Any, prefix: str | None) -> Any:
        read.append(prefix)
        return await real(inside, prefix)

    monkeypatch.setattr(obstore, "list_with_delimiter_async", noted)

    assert await a_page(store, None, "bob-b/0/b", 2) == ["bob-b/0/c", "bob-b/f/a"]
    assert read == [None, "bob-b/", "bob-b/0/", "bob-b/f/"]
