"""Providers of messages on this machine: an HTTP server that can behave badly, and a mail server."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

_PIECE = b"x" * 65_536


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class WebHook:
    """`answers` of the next requests: a status, `big` (10 MB), `never`, `drip` or `redirect STATUS:URL`; then 200."""

    port: int = 0
    answers: list[str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "hook", host: str = "127.0.0.1") -> str:
        """As Apprise writes it."""
        return f"json://{host}:{self.port}/{path}"


@contextmanager
def a_webhook() -> Iterator[WebHook]:
    hook = WebHook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("content-length", 0))
            hook.received.append(Received(self.path, dict(self.headers), self.rfile.read(size)))
            answer = hook.answers.pop(0) if hook.answers else "200"
            try:
                self._answer(answer)
            except OSError:
                return  # whoever asked has heard enough

        def _answer(self, answer: str) -> None:
            if answer == "never":
                hook.released.wait(60)
                return
            if answer.startswith("redirect "):
                status, _, location = answer.removeprefix("redirect ").partition(":")
                self.send_response(int(status))
                self.send_header("location", location)
            else:
                self.send_response(200 if answer in ("big", "drip") else int(answer))
            if answer == "big":
                self.end_headers()
                for _ in range(160):
                    self.wfile.write(_PIECE)
                return
            if answer == "drip":
                self.send_header("content-length", "1000000")
                self.end_headers()
                while not hook.released.wait(0.2):
                    self.wfile.write(b".")
                return
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        hook.released.set()
        server.shutdown()
        server.server_close()


@dataclass
class MailBox:
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)

    def url(self, to: str = "amy@people.test") -> str:
        return f"mailto://127.0.0.1:{self.port}/?from=eco@platform.test&to={to}&mode=insecure"


@contextmanager
def a_mail_server() -> Iterator[MailBox]:
    box = MailBox()

    class Handler:
        async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:
            mail = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            box.mails.append(mail)
            await asyncio.sleep(0)
            return "250 kept"

    controller = Controller(Handler(), hostname="127.0.0.1", port=0)
    # `Controller` asks its own server whether it runs, at the port that it was given: 0 must be known before.
    controller.port = _free_port()
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


def _free_port() -> int:

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
