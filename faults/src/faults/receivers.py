"""Who gets what the platform sends to people: a web server and a mail server of the campaign's own, which can fail.

Each stands behind a wire. Whatever a receiver read is written into the journal before it answers: whom it was sent to,
what it is about, which ids it bears, and whether it was taken.
"""

import asyncio
import json
import re
from abc import ABC, abstractmethod
from email import message_from_bytes, policy
from enum import StrEnum
from typing import Any

from faults.journal import Journal
from faults.wire import Way, Wire

HOOK, MAIL = CHANNELS = ("hook", "mail")
_HEADER = "X-Ecosystem-Message"
_REFERENCE = re.compile(r"\bMessage ([0-9a-f-]{36})\b")
_ABOUT = re.compile(r"\b(campaign-[0-9a-f-]{36})\b"), re.compile(r"\bPage ([0-9a-f-]{36})\b")
_MESSAGE_BYTES_MAX = 1 << 20
_PATIENCE_SECONDS = 60.0


class Mood(StrEnum):
    """`REFUSE` reads a message and says 500 or 451. `DROP` takes it, and its answer is lost."""

    TAKE = "take"
    REFUSE = "refuse"
    DROP = "drop"


class Receiver(ABC):
    """What both have in common. `address` is where the platform finds it; `owner` is whose channel it is."""

    channel: str

    def __init__(self, journal: Journal) -> None:
        self._journal, self.mood = journal, Mood.TAKE
        self._talks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.wire = Wire(self._server.sockets[0].getsockname()[:2])
        self.port = await self.wire.listen_tcp()

    async def close(self) -> None:
        await self.wire.close()
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    @abstractmethod
    def address(self, owner: str) -> str:
        """As Apprise writes it."""

    async def fail(self, how: str, seconds: float) -> None:
        """`how`: a mood, a way of the wire, or `stop`: connections are refused."""
        if how == "stop":
            await self.wire.leave(seconds)
        elif how in list(Mood):
            self.mood = how = Mood(how)
            try:
                await asyncio.sleep(seconds)
            finally:
                if self.mood is how:
                    self.mood = Mood.TAKE
        else:
            await self.wire.fail(Way(how), seconds)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        try:
            # Who is not spoken to any more goes: a sender that was killed in the middle says nothing.
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._talk(reader, writer)
        except (OSError, EOFError, TimeoutError, ValueError):
            pass
        finally:
            self._talks.discard(talk)
            writer.close()

    @abstractmethod
    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until it has said all."""

    def _note(self, owner: str, header: str | None, title: str, text: str) -> Mood:
        """Write down what came; what is to become of it."""
        mood = self.mood
        ids = dict.fromkeys(one for one in (header, *_REFERENCE.findall(text)) if one)
        about = next((found[1] for pattern in _ABOUT if (found := pattern.search(f"{title}\n{text}"))), "")
        self._journal.write(
            "arrived", owner=owner, channel=self.channel, about=about, ids=list(ids), title=title,
            taken=mood is not Mood.REFUSE,
        )  # fmt: skip
        return mood


class Hook(Receiver):
    """Answers each POST of a JSON object with `title` and `message`; the path names the owner."""

    channel = HOOK

    def address(self, owner: str) -> str:
        return f"json://127.0.0.1:{self.port}/{owner}"

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = int(headers.get("content-length", "0"))
        if size > _MESSAGE_BYTES_MAX:
            raise ValueError("more than a message")
        said: dict[str, Any] = json.loads(await reader.readexactly(size))
        owner = first.split(" ")[1].strip("/")
        mood = self._note(owner, headers.get(_HEADER.lower()), str(said.get("title")), str(said.get("message")))
        if mood is Mood.DROP:
            return
        status = "500 Not Now" if mood is Mood.REFUSE else "200 OK"
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()


class Mail(Receiver):
    """As much of SMTP (RFC 5321) as it takes to be sent a mail; the box's name is the owner."""

    channel = MAIL

    def address(self, owner: str) -> str:
        return f"mailto://127.0.0.1:{self.port}/?from=eco@platform.test&to={owner}@people.test&mode=insecure"

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        owner, answer = "", "220 campaign"
        while True:
            writer.write(f"{answer}\r\n".encode())
            await writer.drain()
            line = (await reader.readuntil(b"\r\n")).decode("latin-1").strip()
            verb = line[:4].upper()
            if verb == "RCPT" and (found := re.search(r"<([^@>]+)@", line)):
                owner = found[1]
            if verb == "DATA":
                writer.write(b"354 go on\r\n")
                mood = self._read(owner, await _mail(reader))
                if mood is Mood.DROP:
                    return
                answer = "451 not now" if mood is Mood.REFUSE else "250 taken"
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                return
            else:
                known = verb in ("EHLO", "HELO", "MAIL", "RCPT", "RSET", "NOOP")
                answer = "250 campaign" if known else "502 unknown"

    def _read(self, owner: str, content: bytes) -> Mood:
        mail = message_from_bytes(content, policy=policy.default)
        part = mail.get_body(("plain", "html"))
        text = str(part.get_content()) if part is not None else ""
        return self._note(owner, mail[_HEADER], str(mail["subject"]), text)


async def _mail(reader: asyncio.StreamReader) -> bytes:
    """Until the line with a single dot; lines that begin with one were given another."""
    lines: list[bytes] = []
    size = 0
    while (line := await reader.readuntil(b"\n")).rstrip() != b".":
        lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        size += len(line)
        if size > _MESSAGE_BYTES_MAX:
            raise ValueError("more than a message")
    return b"".join(lines)


class Receivers:
    """Both of them. Each owner, a company or the platform, has a channel to each."""

    def __init__(self, journal: Journal) -> None:
        self._all: tuple[Receiver, ...] = (Hook(journal), Mail(journal))

    async def listen(self) -> None:
        for one in self._all:
            await one.listen()

    async def close(self) -> None:
        for one in self._all:
            await one.close()

    def addresses(self, owner: str) -> dict[str, str]:
        """By the name of the channel."""
        return {one.channel: one.address(owner) for one in self._all}

    async def fail(self, how: str, which: str, seconds: float) -> None:
        """`which`: the name of a channel; empty for both."""
        hit = [one for one in self._all if which in ("", one.channel)]
        await asyncio.gather(*(one.fail(how, seconds) for one in hit))
