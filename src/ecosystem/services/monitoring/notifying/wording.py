"""Messages out of templates. A template is plain text with `$names`; what stands for them is text and nothing else.

One pass puts values in, so no value is ever read as a template; each is one bounded line without anything that a
mail header, a chat or a reader's eye would obey. Source of the substitution: string.Template (PEP 292).
"""

import re
import unicodedata
from collections.abc import Mapping
from importlib import resources
from string import Template

from ecosystem.services.monitoring.errors import TemplateUnknown
from ecosystem.services.monitoring.notifying.model import Text

TITLE_CHARACTERS_MAX, BODY_CHARACTERS_MAX, VALUE_CHARACTERS_MAX, TEXT_CHARACTERS_MAX = 120, 3000, 500, 2400
"""`TEXT` is of the value `text`, which is what a message is about."""
_FOLDER = resources.files("ecosystem.services.monitoring.notifying").joinpath("templates")
# Read at import: a service that gave up its privileges may not reach its own files any more.
_TEMPLATES = {
    file.name.removesuffix(".txt"): file.read_text(encoding="utf-8")
    for file in _FOLDER.iterdir()
    if file.name.endswith(".txt")
}
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
# Mentions (`<!channel>`, `@all`), mark-up and links are what chats make of these.
_DEFANGED = str.maketrans({"<": "‹", ">": "›", "@": "＠", "`": "'", "[": "(", "]": ")", "*": "∗", "|": "¦"})
_LINK = re.compile(r"(?i)([a-z][a-z0-9+.-]*):(?=//)|\b(mailto|tel|javascript|data):")


def names() -> tuple[str, ...]:
    """The templates there are."""
    return tuple(sorted(_TEMPLATES))


def plain(value: object, characters_max: int = VALUE_CHARACTERS_MAX) -> str:
    """`value` as one line that nothing obeys, cut where it is too long."""
    # Cut first, so that a text of megabytes costs no more than one that fits.
    text = unicodedata.normalize("NFC", str(value)[: characters_max * 4])
    text = "".join(" " if unicodedata.category(sign) in _HIDDEN else sign for sign in text)
    text = _LINK.sub(lambda found: f"{found[1] or found[2]}(:)", " ".join(text.split())).translate(_DEFANGED)
    return cut(text, characters_max)


def cut(text: str, characters_max: int) -> str:
    """`text`, or as many of its words as there is room for; a word that takes more than half of it is cut itself."""
    if len(text) <= characters_max:
        return text
    kept = text[: characters_max - 1]
    words = kept if text[len(kept)].isspace() else kept.rpartition(" ")[0]
    return (words if len(words) > characters_max // 2 else kept).rstrip() + "…"


def written(
    template: str, values: Mapping[str, object], *, links: Mapping[str, str] | None = None, reference: str = ""
) -> Text:
    """The message: the template's first line is its title. A line is left out where one of its names has no value;
    `whole` is the title where that is too long to stand there.

    `values` may come from anybody; `links` come from us and stay as they are. `reference` is the message's own id,
    so that whoever gets it twice sees that it is the same.

    Raises TemplateUnknown.
    """
    source = _TEMPLATES.get(template)
    if source is None:
        raise TemplateUnknown(template=plain(template, 60))
    limits = {"text": TEXT_CHARACTERS_MAX}
    texts = {name: plain(value, limits.get(name, VALUE_CHARACTERS_MAX)) for name, value in values.items()
             if value is not None}  # fmt: skip
    known = {name: text for name, text in texts.items() if text} | dict(links or {})
    first, *others = source.splitlines()
    title = (_filled(first, known) or "").strip()
    if len(title) > TITLE_CHARACTERS_MAX:
        known["whole"] = title
    rest = [line for line in (_filled(other, known) for other in others) if line is not None]
    body = cut(re.sub(r"\n{3,}", "\n\n", "\n".join(rest)).strip(), BODY_CHARACTERS_MAX)
    return Text(cut(title, TITLE_CHARACTERS_MAX), f"{body}\n\nMessage {reference}" if reference else body)


def _filled(line: str, known: Mapping[str, str]) -> str | None:
    needed = Template(line).get_identifiers()
    return Template(line).substitute(known) if all(name in known for name in needed) else None
