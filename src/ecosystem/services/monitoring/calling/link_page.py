"""What the link in a page shows: the page, a button, who has taken it and when. Looking takes nothing up, so a mail
scanner may look.
"""

from datetime import datetime
from html import escape

from ecosystem.kernel.words import moment
from ecosystem.services.monitoring.calling.model import Behind, Page, PageState

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
# White on this green has a contrast of 6.2 to 1; WCAG 2.2 AA asks for 4.5.
_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;"
    "color:#111;background:#fff;overflow-wrap:anywhere}"
    "button{font:inherit;padding:.8rem 1.6rem;border:0;border-radius:.4rem;background:#06703a;color:#fff}"
    "button:focus-visible{outline:.2rem solid #111;outline-offset:.2rem}"
)


def shown(behind: Behind, token: str) -> str:
    """What the page is about; then a button that takes it up, or what has become of it."""
    page = behind.page
    heading = f"<h1>{escape(page.priority)} {escape(page.title)}</h1><p>{escape(page.summary)}</p>"
    runbook = f"<p>Runbook: <code>eco runbook {escape(page.runbook)}</code></p>" if page.runbook else ""
    incident = f"<p>Incident: <code>eco incidents show {page.incident_id}</code></p>" if page.incident_id else ""
    is_free = page.state in (PageState.OPEN, PageState.UNANSWERED)
    below = _button(page, token) if is_free else f'<p role="status"><strong>{_became(behind)}</strong></p>'
    state = "Not taken yet" if is_free else "Over" if page.state == PageState.WITHDRAWN else "Taken"
    return _html(f"{state}: {page.priority} {page.title}", f"{heading}{runbook}{incident}{below}")


def refused(said: str) -> str:
    return _html("This link does not work", f"<h1>This link does not work</h1><p>{escape(said)}</p>")


def _button(page: Page, token: str) -> str:
    late = "<p>Everybody on call was called, and nobody took it so far.</p>" if page.state == "unanswered" else ""
    return (
        f'{late}<form method="post" action="/v1/oncall/link">'
        f'<input type="hidden" name="token" value="{escape(token, quote=True)}">'
        "<button>I take it</button></form>"
    )


def _became(behind: Behind) -> str:
    at = _time(behind.page.ended_at) if behind.page.ended_at else "a moment ago"
    if behind.page.state == PageState.WITHDRAWN:
        return f"Its incident is over since {at}. Nothing is to be done."
    if behind.is_reader or behind.just_now:
        return f"You have {'' if behind.just_now else 'already '}taken it, at {at}. Nobody else is called."
    taker = escape(behind.taker or "somebody")
    return f"It is taken already: by {taker}, at {at}. It stays with them, and nobody else is called."


def _time(at: datetime) -> str:
    return f'<time datetime="{at.isoformat(timespec="seconds")}">{moment(at)}</time>'


def _html(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    head = f"<head>{head}<style>{_STYLE}</style></head>"
    return f'<!doctype html><html lang="en">{head}<body><main>{body}</main></body></html>'
