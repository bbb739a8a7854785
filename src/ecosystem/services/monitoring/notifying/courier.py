"""One delivery through Apprise, in a process of its own: it loads all of Apprise, may wait for ever, and is ended.

Every connection is checked at the address that it really goes to, so that no name that resolves twice, and no
redirect, leads beside us. Apprise may read its own files and the system's, not what an address of a channel names.
Whatever happens becomes a coded word: texts of providers may quote the address, which is a secret.
"""

import ipaddress
import os
import socket
import ssl
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from ecosystem.services.monitoring.notifying.addresses import Network, may_be_reached, networks

ANSWER_BYTES_MAX = 256 << 10
HEADER = "X-Ecosystem-Message"
_LOCAL = frozenset({"dbus", "qt", "kde", "glib", "gnome", "macosx", "windows", "syslog", "blink1", "deltachat"})
"""Kinds of Apprise that speak with the machine that they run on; of a server that is nobody's screen."""
_SYSTEM = ("/etc/ssl/", "/usr/share/", "/usr/lib/ssl/", "/etc/pki/", "/lib/", "/usr/lib/", "/proc/self/", "/proc/sys/")
_SINGLE = frozenset({
    "/dev/null", "/dev/urandom", "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/mime.types",
    "/etc/services", "/etc/localtime", "/etc/gai.conf", "/etc/host.conf",
})  # fmt: skip
_AUTHORITIES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REFUSED_EVENTS = frozenset({
    "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "subprocess.Popen", "pty.spawn",
    "socket.bind", "os.remove", "os.rename", "os.mkdir", "os.chmod", "os.link", "os.symlink", "shutil.rmtree",
})  # fmt: skip


class Refused(PermissionError):
    """Something that a delivery may not do; libraries take it for a network that says no."""


class _Watch:
    """What a delivery tries, and what it was refused."""

    def __init__(self, allowed: tuple[Network, ...]) -> None:
        self._allowed = allowed
        self.refused: str | None = None
        self.status: int | None = None
        self._folders = (*_SYSTEM, *(f"{folder.rstrip('/')}/" for folder in _ours()))

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            self._connects(arguments[0], arguments[1])
        elif event == "open":
            self._opens(arguments[0], arguments[1], arguments[2])
        elif event in _REFUSED_EVENTS and not (event == "socket.bind" and arguments[0].family == socket.AF_NETLINK):
            self._refuse("forbidden_act")

    def _connects(self, via: Any, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) and address else None
        if via.family in (socket.AF_INET, socket.AF_INET6) and isinstance(host, str):
            if may_be_reached(host, self._allowed):
                return
            # Of a name it cannot be said here where it leads: libraries resolve first, what does not is refused.
            self._refuse("address_refused" if _is_numeric(host) else "address_unresolved")
        elif address is not None:
            self._refuse("address_refused")

    def _opens(self, path: Any, mode: Any, flags: Any) -> None:
        if not isinstance(path, str | bytes):
            return
        writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (flags or 0) & (os.O_WRONLY | os.O_RDWR)
        found = os.path.abspath(os.fsdecode(path))
        if found == os.devnull:
            return
        if writes or not (found in _SINGLE or found.startswith(self._folders)):
            self._refuse("file_refused")

    def _refuse(self, reason: str) -> None:
        self.refused = self.refused or reason
        raise Refused(reason)


def send(payload: bytes) -> dict[str, Any]:
    """Deliver one message, given as JSON: `url`, `title`, `body`, `message_id`, `allowed` networks, `seconds`.

    Answers `{"sent": true}`, or `{"sent": false, "problem": CODE, "final": whether trying again is in vain}`.
    """
    job = orjson.loads(payload)
    watch = _Watch(networks(job["allowed"]))
    plugin = _plugin(job["url"])
    if plugin is None:
        return {"sent": False, "problem": "address_not_understood", "final": True}
    if isinstance(getattr(plugin, "headers", None), dict):
        plugin.headers[HEADER] = job["message_id"]
    _be_patient(plugin, job["seconds"])
    _keep_answers_small(watch)
    sys.addaudithook(watch)
    try:
        sent = bool(plugin.notify(body=job["body"], title=job["title"], body_format="text"))
    except Exception:
        sent = False
    # Followed, it could lead beside us; it also says that it always leads away from the address that is kept.
    redirected = watch.refused is None and watch.status in _REDIRECTS
    if sent and not redirected:
        return {"sent": True}
    problem = "redirected" if redirected else _problem(watch)
    return {"sent": False, "problem": problem, "final": redirected or watch.refused is not None}


def check(payload: bytes) -> dict[str, Any]:
    """What kind an address is, null where Apprise does not understand it: `{"service": "Slack"}`. Connects to none."""
    sys.addaudithook(_Watch(()))
    try:
        plugin = _plugin(orjson.loads(payload)["url"])
    except Exception:
        plugin = None
    return {"service": None if plugin is None else str(plugin.service_name)[:60]}


def prepare_sandbox() -> None:
    """All that a delivery would import, while files can still be reached; see `Sandbox`."""
    import apprise
    import apprise.plugins.email.base

    apprise.Apprise().add("json://localhost")
    ssl.create_default_context()
    assert apprise.plugins.email.base is not None


def _plugin(url: str) -> Any:
    import logging

    import apprise

    logging.disable(logging.CRITICAL)
    for place in _AUTHORITIES:
        if Path(place).is_file():
            # The system's, which an operator can add an authority of his own to; Apprise's own can be out of reach.
            os.environ["REQUESTS_CA_BUNDLE"] = place
            break
    asset = apprise.AppriseAsset(
        app_id="Ecosystem", app_desc="Ecosystem", app_url="", image_url_mask="", image_url_logo="",
        interpret_escapes=False, interpret_emojis=False, allow_templates=False, secure_logging=True,
        async_mode=False, http_redirects=False,
    )  # fmt: skip
    if url.partition("://")[0].lower().rstrip("s") in _LOCAL or url.partition("://")[0].lower() in _LOCAL:
        return None
    return apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)


def _be_patient(plugin: Any, seconds: float) -> None:
    """Wait as long as one delivery may take, where the address does not say how long (`rto`, `cto`).

    Apprise gives up after 4 s: who takes a message and answers later would get it again and again.
    """
    for name in ("socket_connect_timeout", "socket_read_timeout"):
        if getattr(plugin, name, None) == getattr(type(plugin), name, None):
            setattr(plugin, name, seconds)


def _keep_answers_small(watch: _Watch) -> None:
    """Read at most so much of any answer, follow nothing, and remember the last status."""
    import requests

    ask: Callable[..., requests.Response] = requests.Session.request

    def asked(session: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
        session.trust_env = bool(os.environ.get("REQUESTS_CA_BUNDLE"))
        response = ask(session, method, url, **{**options, "allow_redirects": False, "stream": True})
        watch.status = response.status_code
        content = bytearray()
        for piece in response.iter_content(16 << 10):
            content += piece
            if len(content) >= ANSWER_BYTES_MAX:
                break
        response._content, response._content_consumed = bytes(content[:ANSWER_BYTES_MAX]), True
        response.close()
        return response

    requests.Session.request = asked  # type: ignore[method-assign, assignment]


def _problem(watch: _Watch) -> str:
    if watch.refused is not None:
        return watch.refused
    return f"http_{watch.status}" if watch.status is not None and watch.status >= 300 else "not_accepted"


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _ours() -> list[str]:
    """Where Python and its packages lie, links followed and not."""
    places = [*sys.path, sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()]
    found = {place for name in places if name for place in (os.path.abspath(name), os.path.realpath(name))}
    return sorted(found - {"/"})
