"""How much the sandbox's processes weigh against all others, where niceness alone does not say it.

With CONFIG_SCHED_AUTOGROUP, as most distributions have it, Linux shares the processors between sessions first (setsid),
and `nice` counts only inside of one. Source: sched(7), "The autogroup feature".
"""

_OWN_GROUP = "/proc/self/autogroup"


def weigh_less(niceness: int) -> bool:
    """Give the group of this session this niceness; False where it cannot be, or not now (one write in 0.1 s)."""
    try:
        with open(_OWN_GROUP, "w", encoding="ascii") as group:
            group.write(str(niceness))
    except OSError:
        return False
    return True
