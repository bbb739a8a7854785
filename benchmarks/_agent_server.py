"""The serving process of `benchmarks.agent_call`: agents as in production, and bare gRPC with the same certificates.

Settings come as JSON on the command line; the two ports go to standard error, log lines to standard output.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import grpc.aio
import uvloop
from pydantic import SecretStr
from sqlalchemy import text

from ecosystem.kernel import context
from ecosystem.kernel.agent.answers import Answers
from ecosystem.kernel.agent.call import Call
from ecosystem.kernel.agent.card import AgentCard, AgentType, Prompt, Result, Task
from ecosystem.kernel.agent.handling import Handling
from ecosystem.kernel.agent.host import AgentHost
from ecosystem.kernel.agent.server import AgentServer
from ecosystem.kernel.agent.settings import AgentSettings
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.identity.identity import Identity
from ecosystem.kernel.identity.settings import IdentitySettings
from ecosystem.kernel.telemetry import log, tracing
from ecosystem.kernel.telemetry.export import SpanFile
from ecosystem.kernel.telemetry.settings import TelemetrySettings

SERVICE, CALLER, SCHEMA = "events-service", "orchestrator-agent", "events"
COMPANY = UUID(int=0xBE)
ECHO, INSERT = "/bench/Echo", "/bench/Insert"
_INSERT = text("insert into bench_rows (company_id, request_id, body) values (:company_id, :request_id, :body)")


class Answered(Result):
    document_id: str
    status: str
    reasons: tuple[str, ...]


class Read(Task, request_type="bench_read", result=Answered):
    document_id: str
    pages: tuple[str, ...]


class Write(Task, request_type="bench_write", result=Answered, effect=True):
    document_id: str
    pages: tuple[str, ...]


def _card(agent_id: str, service: str, *tasks: type[Task]) -> AgentCard:
    return AgentCard(
        id=agent_id, service=service, type=AgentType.UTILITY, purpose="Measured.", tasks=tasks,
        prompt=Prompt(system="You are measured."), callers=("calling-agent",),
    )  # fmt: skip


MEASURED = _card("measured-agent", SERVICE, Read, Write)
AGENTS = {card.id: card for card in (MEASURED, _card("calling-agent", CALLER))}
ANSWER = Answered(document_id="d" * 36, status="read", reasons=("one reason of some length", "another one"))
ANSWER_BYTES = ANSWER.model_dump_json().encode()


class Handlers:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, request_id: str, body: str) -> None:
        row = {"company_id": COMPANY, "request_id": request_id, "body": body}
        await self._database.session.execute(_INSERT, row)

    async def read(self, task: Read, call: Call) -> Answered:
        return ANSWER

    async def write(self, task: Write, call: Call) -> Answered:
        async def work() -> Answered:
            await self.insert(call.request_id, task.document_id)
            return ANSWER

        return await call.commit(work)

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """The baseline: bytes in, bytes out; and the same with one INSERT and COMMIT."""

        async def echo(request: bytes, _: Any) -> bytes:
            return ANSWER_BYTES

        async def insert(request: bytes, _: Any) -> bytes:
            with context.scope(company_id=COMPANY):
                await self._database.run(lambda: self.insert("baseline", "d" * 36))
            return ANSWER_BYTES

        return grpc.unary_unary_rpc_method_handler(echo if details.method == ECHO else insert)


class _Bare(grpc.GenericRpcHandler):
    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return self._handlers.service(handler_call_details)


async def main(given: dict[str, str]) -> None:
    log.configure(SERVICE)
    spans = SpanFile(TelemetrySettings(traces_folder=Path(given["folder"]) / "traces"), SERVICE)
    tracing.configure(SERVICE, "bench", spans)
    pem, authorities = Path(given["folder"]) / f"{SERVICE}.pem", Path(given["folder"]) / "ca.pem"
    identity = Identity(IdentitySettings(pem_file=pem, ca_file=authorities))
    database = Database(DatabaseSettings(url=SecretStr(given["url"])), SCHEMA)
    await database.open()
    handlers = Handlers(database)
    host = AgentHost(MEASURED, {Read: handlers.read, Write: handlers.write})
    server = AgentServer(Handling([host], AGENTS, Answers(database)), identity, AgentSettings())
    bare = grpc.aio.server()
    bare.add_generic_rpc_handlers((_Bare(handlers),))
    bare_port = bare.add_secure_port("127.0.0.1:0", identity.grpc_server_credentials())
    await bare.start()
    ports = {"agents": await server.start(), "bare": bare_port}
    sys.stderr.write(json.dumps(ports) + "\n")
    sys.stderr.flush()
    await spans.run(asyncio.Event())


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
