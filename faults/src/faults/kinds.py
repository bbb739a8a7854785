"""Every kind of fault: what it does, how long it lasts, what it is aimed at, how often it comes."""

from dataclasses import dataclass

SLOT, SERVICE, NOTHING = "slot", "service", ""
"""What a kind is aimed at: one replica (`creditx-1`), a service with all of its replicas, or what there is one of."""


@dataclass(frozen=True)
class Kind:
    """`weight` is how often it stands in the deck; `seconds` bounds how long it lasts, (0, 0) for over at once."""

    name: str
    does: str
    weight: int = 1
    seconds: tuple[float, float] = (0.0, 0.0)
    aim: str = NOTHING


_FREEZE = (1.0, 6.0)
_NETWORK = (2.0, 5.0)
_RECEIVERS = (2.0, 8.0)

KINDS: tuple[Kind, ...] = (
    Kind("kill-service", "SIGKILL to one replica of a service", weight=8, aim=SLOT),
    Kind("kill-replicas", "SIGKILL to all replicas of a service at once", weight=2, aim=SERVICE),
    Kind("kill-supervisor", "SIGKILL to the supervisor; its parent runs `eco up` again"),
    Kind("kill-zygote", "SIGKILL to the zygote"),
    Kind("kill-database", "SIGKILL to PostgreSQL with all of its processes"),
    Kind("kill-cache", "SIGKILL to the cache"),
    Kind("kill-edge", "SIGKILL to Envoy"),
    Kind("kill-sandbox", "SIGKILL to a sandbox's worker, spawner or guardian", weight=2),
    Kind("freeze-service", "SIGSTOP to one replica, SIGCONT later", weight=3, seconds=(1.0, 8.0), aim=SLOT),
    Kind("freeze-supervisor", "SIGSTOP to the supervisor, SIGCONT later", seconds=_FREEZE),
    Kind("freeze-zygote", "SIGSTOP to the zygote, SIGCONT later", seconds=_FREEZE),
    Kind("freeze-database", "SIGSTOP to PostgreSQL with all of its processes, SIGCONT later", seconds=(1.0, 4.0)),
    Kind("freeze-cache", "SIGSTOP to the cache, SIGCONT later", seconds=_FREEZE),
    Kind("freeze-edge", "SIGSTOP to Envoy, SIGCONT later", seconds=(1.0, 4.0)),
    Kind("freeze-sandbox", "SIGSTOP to a sandbox's process, SIGCONT later", seconds=_FREEZE),
    Kind("restart-database", "a fast shutdown of PostgreSQL (SIGINT), as for an update of the server"),
    Kind("delay-database", "every answer of the database comes late", seconds=_NETWORK),
    Kind("drop-database", "what the database answers is lost, until the connections break", seconds=_NETWORK),
    Kind("reset-database", "every connection to the database is cut, new ones too", seconds=(0.5, 2.0)),
    Kind("half-open-database", "connections to the database stay open and nothing answers", seconds=_NETWORK),
    Kind("delay-clients", "every answer of the edge comes late", seconds=_NETWORK),
    Kind("drop-clients", "what the edge answers is lost, until the connections break", seconds=_NETWORK),
    Kind("reset-clients", "every connection of the clients is cut, new ones too", seconds=(0.5, 2.0)),
    Kind("half-open-clients", "connections of the clients stay open and nothing answers", seconds=_NETWORK),
    Kind("fill-disk", "the file system of the home is full", seconds=(1.0, 4.0)),
    Kind("flush-cache", "the cache forgets everything (FLUSHALL)"),
    Kind("end-listeners", "the connections that listen for NOTIFY are ended"),
    Kind("lose-notify", "no NOTIFY reaches anybody", seconds=(3.0, 8.0)),
    Kind("expire-certificate", "the certificate of a service has ended", aim=SERVICE),
    Kind("hold-transaction", "a writing transaction of a stranger stays open", seconds=(1.0, 5.0)),
    Kind("lock-table", "a stranger's transaction has locked a table that uploads write", seconds=(0.5, 3.0)),
    Kind("skew-clock", "one replica lives by a clock of its own", seconds=(5.0, 15.0), aim=SLOT),
    Kind("replay-log", "the whole log is delivered again to a consumer"),
    Kind("refuse-receivers", "who receives messages answers 500 or 451", seconds=_RECEIVERS),
    Kind("drop-receivers", "who receives messages takes them, and the answers are lost", seconds=_NETWORK),
    Kind("reset-receivers", "every connection to the receivers is cut, new ones too", seconds=(0.5, 2.0)),
    Kind("half-open-receivers", "connections to the receivers stay open and nothing answers", seconds=_RECEIVERS),
    Kind("stop-receivers", "nobody is there who receives messages", seconds=_RECEIVERS),
)
BY_NAME = {kind.name: kind for kind in KINDS}
