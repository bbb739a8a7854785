"""Evidence as a person reads it. What is stored stays as the rules made it, so that it can be recomputed."""

import re
from functools import cache

from ecosystem.services.creditx.reading.kinds import kinds

_LIST = re.compile(r"\[([^\[\]]*)\]")
_ARTICLE = re.compile(r"\bis a (?=[aeiou])")
_NAME = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")


def readable(evidence: str) -> str:
    """No brackets around a list, none where it is empty, the names of kinds and values in words, the right article."""
    while (without := _LIST.sub(lambda found: found[1] or "none", evidence)) != evidence:
        evidence = without
    evidence = _ARTICLE.sub("is an ", evidence)
    return _NAME.sub(lambda found: found[0].replace("_", " ") if found[0] in _names() else found[0], evidence)


@cache
def _names() -> frozenset[str]:
    """What the platform itself calls kinds and values: what was read on a document is never changed."""
    return frozenset().union(*({kind.kind, *kind.fields} for kind in kinds()))
