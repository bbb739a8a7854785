"""A small twin of the public API: enough of its manners to try a client against, and a record of what it was asked."""

import asyncio
import base64
import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

CLIENT, SECRET = "client-1", "secret-1"


@dataclass
class Twin:
    """`failing` answers are given first, one a request, before the twin answers as it should.

    `together`: nobody is answered before as many have asked at once.
    """

    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    failing: list[Response] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    token_seconds: float = 300
    revoked: set[str] = field(default_factory=set)
    uploads: dict[str, tuple[str, str]] = field(default_factory=dict)
    looks_until_done: int = 2
    companies: list[dict[str, Any]] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)
    looks: dict[str, int] = field(default_factory=dict)
    peers: set[tuple[str, int]] = field(default_factory=set)
    together: asyncio.Barrier | None = None

    def paths(self) -> list[str]:
        return [f"{method} {path}" for method, path, _ in self.asked]


def problem(status: int, code: str, **more: Any) -> JSONResponse:
    headers = more.pop("headers", None)
    body = {"type": "about:blank", "title": code, "status": status, "detail": f"{code}.", "code": code, **more}
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


def twin_app(twin: Twin) -> FastAPI:
    app = FastAPI()

    @app.middleware("http")
    async def manners(request: Request, go_on: Any) -> Response:
        twin.asked.append((request.method, request.url.path, dict(request.headers)))
        if request.client is not None:
            twin.peers.add((request.client.host, request.client.port))
        if twin.together is not None:
            await twin.together.wait()
        if twin.failing:
            return twin.failing.pop(0)
        if request.url.path.startswith("/v1/") and request.url.path != "/v1/first-administrator":
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            if token not in twin.tokens or token in twin.revoked:
                return problem(401, "unauthenticated", next_step="Get a token.")
        answer: Response = await go_on(request)
        return answer

    _authn(app, twin)
    _documents(app, twin)
    _events(app)
    _administration(app, twin)
    return app


def _authn(app: FastAPI, twin: Twin) -> None:
    @app.post("/oauth/token")
    async def token(request: Request) -> Response:
        credentials = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        form = await request.form()
        if credentials != f"{CLIENT}:{SECRET}" or form["grant_type"] != "client_credentials":
            return JSONResponse({"error": "invalid_client", "error_description": "Unknown client."}, 401)
        twin.tokens.append(f"token-{len(twin.tokens) + 1}-{form.get('company_id', 'own')}")
        return JSONResponse(
            {"access_token": twin.tokens[-1], "token_type": "Bearer", "expires_in": twin.token_seconds, "scope": ""}
        )

    @app.post("/v1/first-administrator")
    async def first(request: Request) -> Response:
        if (await request.json()) != {"credential": "once"}:
            return problem(401, "credential_refused", next_step="Use the credential file of this home.")
        return JSONResponse({"client_id": CLIENT, "client_secret": SECRET}, 201)


def _documents(app: FastAPI, twin: Twin) -> None:
    @app.post("/v1/documents")
    async def upload(request: Request) -> Response:
        key = request.headers["idempotency-key"]
        file = (await request.form())["file"]
        content = await file.read()  # type: ignore[union-attr]
        if not content:
            return problem(422, "empty_file", rule="empty_file", next_step="Send the file again.", trace_id="ab" * 16)
        seen = twin.uploads.get(key)
        twin.uploads[key] = seen if seen else (f"document-{len(twin.uploads)}", hashlib.sha256(content).hexdigest())
        headers = {"Idempotency-Replayed": "true"} if seen else {}
        if "prefer" in request.headers and twin.looks_until_done == 0:
            done = {"document_id": twin.uploads[key][0], "status": "completed", "outcome": "approved"}
            return JSONResponse(done, 201, headers=headers)
        return JSONResponse(
            {"document_id": twin.uploads[key][0], "status": "received", "links": {}}, 202, headers=headers
        )

    @app.get("/v1/documents/{document_id}")
    async def show(document_id: str) -> Response:
        if not any(document_id == known for known, _ in twin.uploads.values()):
            return problem(404, "not_found", next_step="Check the id.")
        looks = twin.looks[document_id] = twin.looks.get(document_id, 0) + 1
        if looks < twin.looks_until_done:
            return JSONResponse({"document_id": document_id, "status": "processing"})
        done = {"status": "completed", "kind": "invoice", "outcome": "approved", "compliance_score": "92.50"}
        return JSONResponse({"document_id": document_id, "a_field_of_tomorrow": 1, **done})

    @app.post("/v1/documents/{document_id}/erase")
    async def erase(document_id: str) -> Response:
        twin.erased.append(document_id)
        erased = {"document_id": document_id, "status": "completed", "erased_at": "2026-11-25T08:00:00Z"}
        return JSONResponse(erased)

    @app.get("/v1/documents/{document_id}/pages/{page}")
    async def picture(document_id: str, page: int, width: int | None = None) -> Response:
        return Response(f"page {page}, {width} wide".encode(), media_type="image/png")

    @app.get("/v1/documents/{document_id}/original")
    async def original(document_id: str) -> Response:
        return StreamingResponse(iter([b"one ", b"two"]), media_type="application/pdf")

    @app.get("/v1/documents")
    async def listing(limit: int = 2, cursor: int = 0) -> Response:
        items = [{"document_id": f"d{n}", "status": "completed"} for n in range(5)][cursor : cursor + limit]
        following = str(cursor + limit) if cursor + limit < 5 else None
        return JSONResponse({"items": items, "next_cursor": following})


def _events(app: FastAPI) -> None:
    @app.get("/v1/events/stream")
    async def stream(after: int = 0) -> Response:
        """Two events a connection; then it breaks."""

        def lines() -> Any:
            yield ": hello\n\n"
            for n in (after + 1, after + 2):
                yield f'id: {n}\nevent: company_created\ndata: {{"id": "e{n}", "type": "company_created",\n'
                yield f'data: "position": "{n}"}}\n\n'

        return StreamingResponse(lines(), media_type="text/event-stream")

    @app.get("/v1/events")
    async def listing(after: int = 0, limit: int = 20) -> Response:
        items = [{"id": f"e{n}", "type": "company_created", "position": str(n)} for n in range(after + 1, 6)][:limit]
        return JSONResponse({"items": items, "next_cursor": items[-1]["position"] if len(items) == limit else None})

    @app.get("/v1/events/dead-letters")
    async def dead_letters() -> Response:
        return JSONResponse({"items": [], "next_cursor": None})


def _administration(app: FastAPI, twin: Twin) -> None:
    @app.post("/v1/companies")
    async def create(request: Request) -> Response:
        twin.companies.append({"company_id": f"c{len(twin.companies) + 1}", **await request.json()})
        return JSONResponse(twin.companies[-1], 201)

    @app.get("/v1/companies")
    async def listing() -> Response:
        return JSONResponse({"items": twin.companies, "next_cursor": None})

    @app.post("/v1/clients")
    async def register(request: Request) -> Response:
        body = await request.json()
        return JSONResponse({"client_id": "new", "client_secret": "shown-once", **body}, 201)

    @app.get("/v1/runs/{run_id}")
    async def run(run_id: str) -> Response:
        at = "2026-11-24T04:00:00.123Z"
        transitions = [
            {"state": "VALIDATING", "at": at, "step": "validate"},
            {"state": "ERROR", "at": at, "reason": "no"},
        ]
        loops = [{"name": "read_pages", "path": "/do/0", "each": "batch", "passes": 12, "ended": 3, "began_at": at}]
        steps = [
            {"name": "read", "agent": "ocr-agent", "attempt": 1, "began_at": at, "ended_at": at, "pass_number": 3},
            {"name": "validate", "agent": "validation-agent", "attempt": 1, "began_at": at, "ended_at": at},
        ]
        shown = {"run_id": run_id, "state": "ERROR", "workflow": "w", "transitions": transitions}
        return JSONResponse(shown | {"loops": loops, "steps": steps})

    @app.get("/v1/runs/{item_id}/story")
    async def story(item_id: str) -> Response:
        said = "The run went to ERROR at step \x1b[31mvalidate."
        moments = [{"at": "2026-11-24T04:00:00.123Z", "source": "journal", "sentence": said}]
        return JSONResponse({"item_id": item_id, "runs": ["r1"], "is_whole": False, "moments": moments})

    @app.get("/v1/documents/{document_id}/result")
    async def result(document_id: str) -> Response:
        value = {
            "name": "person_name",
            "value": "Anna \x1b[31mKeller",
            "page": 1,
            "confidence": 0.9,
            "method": "text_layer",
        }
        rules = [
            {"rule": "kind_known", "status": "passed", "evidence": "It is an invoice.", "weight": "10"},
            {"rule": "address_recent", "status": "failed", "evidence": "120 days old.", "weight": "20"},
        ]
        return JSONResponse({"document_id": document_id, "kind": "invoice", "values": [value], "rules": rules})


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Over real HTTP on a port of its own: a synchronous client has no transport into an application."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_keep_alive=600))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
