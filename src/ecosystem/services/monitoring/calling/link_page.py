"""What the link in a page shows: the page and a button. Looking takes nothing up, so a mail scanner may look."""

from html import escape

from ecosystem.services.monitoring.calling.model import Page

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem}"
    "button{font:inherit;padding:.8rem 1.6rem;border:0;border-radius:.4rem;background:#0a5;color:#fff}"
)


def asking(page: Page, token: str) -> str:
    """Says what the page is about, with a button that takes it up."""
    form = (
        '<form method="post" action="/v1/oncall/link">'
        f'<input type="hidden" name="token" value="{escape(token, quote=True)}">'
        "<button>I take it</button></form>"
    )
    return _document(page, form if page.state in ("open", "unanswered") else f"<p>{_how_it_ended(page)}</p>")


def taken(page: Page) -> str:
    return _document(page, f"<p>{_how_it_ended(page)}</p>")


def refused(said: str) -> str:
    return _html("Page", f"<h1>This link does not work</h1><p>{escape(said)}</p>")


def _how_it_ended(page: Page) -> str:
    if page.state == "withdrawn":
        return "Its incident is over. Nothing is to be done."
    at = f"{page.ended_at:%Y-%m-%d %H:%M:%S} UTC" if page.ended_at else "a moment ago"
    return f"Taken up at {at}. Nobody else is called."


def _document(page: Page, below: str) -> str:
    incident = f"<p>Incident: <code>eco incidents show {page.incident_id}</code></p>" if page.incident_id else ""
    runbook = f"<p>Runbook: <code>eco runbook {escape(page.runbook)}</code></p>" if page.runbook else ""
    about = f"<h1>{escape(page.priority)} {escape(page.title)}</h1><p>{escape(page.summary)}</p>"
    return _html(f"{page.priority} page", f"{about}{runbook}{incident}{below}")


def _html(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{body}</body></html>'
