"""Who may call which agent, derived from the cards and refused by default."""

from collections.abc import Mapping

from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.agent.message import Caller, CallRefused


class Policy:
    """Three questions in one: is the caller the host of the agent it speaks as, and may that agent call this one?"""

    def __init__(self, cards: Mapping[str, AgentCard]) -> None:
        self._allowed = frozenset(
            (cards[sender].service, sender, card.id)
            for card in cards.values()
            for sender in card.callers
            if sender in cards
        )
        self._open_to_clients = frozenset(card.id for card in cards.values() if card.clients)

    def check(self, caller: Caller, sender: str, target: str) -> None:
        """Raises CallRefused, naming what is missing, unless `caller` may speak as `sender` to `target`."""
        if caller.client_id is not None:
            self._check_client(caller, sender, target)
        elif (caller.service, sender, target) not in self._allowed:
            raise CallRefused(f"{caller.service} speaking as {sender!r} may not call {target}.")

    def _check_client(self, caller: Caller, sender: str, target: str) -> None:
        if sender not in caller.agents:
            raise CallRefused(f"This client may not speak as {sender!r}.")
        if target not in self._open_to_clients:
            raise CallRefused(f"Clients may not call {target}.")
