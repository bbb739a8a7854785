"""Whose turn it is: what waits, by company, so that none with much of it keeps another with little of it waiting."""

from collections import Counter, deque
from typing import Generic, TypeVar
from uuid import UUID

T = TypeVar("T")
Company = UUID | None


class Turns(Generic[T]):
    """A queue of companies, each with a queue of its own: within a company it is first come, first served."""

    def __init__(self) -> None:
        self._waiting: dict[Company, deque[T]] = {}
        self.size = 0

    @property
    def companies(self) -> int:
        """How many have something here."""
        return len(self._waiting)

    def of(self, company: Company) -> int:
        """How much of `company` waits."""
        return len(self._waiting.get(company, ()))

    def busiest(self) -> Company:
        """The company that has most here; only where something waits."""
        return max(self._waiting, key=lambda one: len(self._waiting[one]))

    def add(self, company: Company, one: T) -> None:
        self._waiting.setdefault(company, deque()).append(one)
        self.size += 1

    def take_next(self, at_work: Counter[Company]) -> tuple[Company, T]:
        """The oldest of the company with least `at_work`, among equals of the one whose last turn is longest ago."""
        company = min(self._waiting, key=lambda one: at_work[one])
        waiting = self._waiting.pop(company)
        one = waiting.popleft()
        if waiting:
            self._waiting[company] = waiting  # behind the others
        self.size -= 1
        return company, one

    def take_newest(self, company: Company) -> T:
        newest = self._waiting[company][-1]
        self.remove(company, newest)
        return newest

    def remove(self, company: Company, one: T) -> bool:
        """False where it does not wait here any more."""
        waiting = self._waiting.get(company, deque())
        if one not in waiting:
            return False
        waiting.remove(one)
        if not waiting:
            del self._waiting[company]
        self.size -= 1
        return True
