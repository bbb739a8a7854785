"""Who may ask which agent for what: what the cards say, narrowed or widened by the policies, refused by default."""

from collections.abc import Callable, Iterable, Mapping

from ecosystem.kernel.agent.card import AgentCard, DeliverEvent
from ecosystem.kernel.agent.message import Caller, CallRefused
from ecosystem.kernel.resilience.file import ALL_TASKS, PolicyRefused, Rulebook
from ecosystem.kernel.resilience.policies import Policies

_OTHER_DESTINATIONS = frozenset({"*", "cache", "postgres"})


class Authorisation:
    """Three questions in one: does the caller host the agent it speaks as, may that one ask this one, and for this?"""

    def __init__(self, cards: Mapping[str, AgentCard], policies: Policies | None = None) -> None:
        self._policies = policies or Policies()
        self._hosts = {card.id: card.service for card in cards.values()}
        self._backup_of = {card.fallback.backup: card.service for card in cards.values() if card.fallback.backup}
        self._allowed = frozenset(
            (cards[sender].service, sender, card.id)
            for card in cards.values()
            for sender in card.callers
            if sender in cards
        )
        self._open_to_clients = frozenset(card.id for card in cards.values() if card.clients)

    def check(self, caller: Caller, sender: str, target: str, request_type: str) -> None:
        """Raises CallRefused, naming what is missing, unless `caller` may, as `sender`, ask `target` for this."""
        if request_type == DeliverEvent.request_type:
            # A hint that carries nothing and that the log proves: every service may give it, in its own name.
            if caller.service is None or sender != caller.service:
                raise CallRefused("Events are delivered by services of the platform, each in its own name.")
            return
        # A backup deployment hosts the agents of its service, and speaks as them.
        service = self._backup_of.get(caller.service or "", caller.service)
        tasks = self._policies.tasks_allowed(sender, target)
        if tasks is not None:
            self._check_tasks(tasks, caller, service, sender, target, request_type)
        elif caller.client_id is not None:
            self._check_client(caller, sender, target)
        elif (service, sender, target) not in self._allowed:
            raise CallRefused(f"{caller.service} speaking as {sender!r} may not call {target}.")

    def _check_tasks(
        self, tasks: frozenset[str], caller: Caller, service: str | None, sender: str, target: str, request_type: str
    ) -> None:
        """What the policies say of a pair goes before the cards; who the caller is they do not say."""
        if caller.client_id is not None:
            self._check_client(caller, sender, target)
        elif self._hosts.get(sender) != service:
            raise CallRefused(f"{caller.service} may not speak as {sender!r}.")
        if ALL_TASKS not in tasks and request_type not in tasks:
            raise CallRefused(f"The policies do not let {sender!r} ask {target} for {request_type!r}.")

    def _check_client(self, caller: Caller, sender: str, target: str) -> None:
        if sender not in caller.agents:
            raise CallRefused(f"This client may not speak as {sender!r}.")
        if target not in self._open_to_clients:
            raise CallRefused(f"Clients may not call {target}.")


def names_checked(cards: Mapping[str, AgentCard], services: Iterable[str]) -> Callable[[Rulebook], None]:
    """A check that all agents, services and tasks of the policies exist: a misspelt refusal would refuse nobody."""
    agents, served = frozenset(cards), frozenset(services)
    known = agents | served | _OTHER_DESTINATIONS
    all_tasks = {task.request_type for card in cards.values() for task in card.tasks}

    def check(book: Rulebook) -> None:
        for caller, destination in book.own_routes:
            name = f"{caller} -> {destination}"
            for part in (caller, destination):
                if part not in known:
                    raise PolicyRefused(f"{book.origins['routes', name]}: there is no agent or service {part!r}.")
        for (sender, target), tasks in book.authorisation.items():
            place = book.origins["authorisation", f"{sender} -> {target}"]
            # A sender may be an agent of a client: those are in nobody's cards.
            if target not in agents and target != "*":
                raise PolicyRefused(f"{place}: there is no agent {target!r}.")
            if sender in served - agents:
                hosted = sorted(card.id for card in cards.values() if card.service == sender)
                raise PolicyRefused(
                    f"{place}: {sender} is a service, and agents ask. It hosts {', '.join(hosted) or 'none'}."
                )
            asked = all_tasks if target == "*" else {task.request_type for task in cards[target].tasks}
            unknown = sorted(tasks - asked - {ALL_TASKS})
            if unknown:
                raise PolicyRefused(f"{place}: {target} does not know {', '.join(unknown)}.")

    return check
