"""A twin's judged documents: rules, judgements and the review queue as the platform answers them."""

from datetime import date
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from ecosystem.services.creditx.judging.bench import plain
from ecosystem.services.creditx.judging.facts import inputs_of
from ecosystem.services.creditx.judging.judge import judge
from ecosystem.services.creditx.judging.rule_set import rule_set, shipped
from ecosystem.services.creditx.judging.trials import moment_of, reading_of
from tests.client.twin import Twin, problem, twin_app

FIRST, SECOND = (f"0198c0de-0000-7000-8000-00000000000{number}" for number in (1, 2))
TODAY = date(2026, 11, 24)
_AT = "2026-11-24T09:30:00+00:00"
_VALUES = {"issuer": "Alder AG", "invoice_number": "A-1", "invoice_date": "2026-11-01", "total_amount": "900.00",
           "currency": "CHF", "iban": "CH9300762011623852957"}  # fmt: skip


def judging_app(twin: Twin) -> FastAPI:
    """The twin with two judged invoices, the second of which is due before its date and awaits a person."""
    documents = {
        FIRST: judgement_of(FIRST, _VALUES | {"due_date": "2026-10-01"}),
        SECOND: judgement_of(SECOND, _VALUES | {"due_date": "2026-12-01"}),
    }
    review: dict[str, Any] = {
        "document_id": FIRST, "awaits": True, "kind": "invoice", "outcome": "review",
        "failing_rules": ["due_after_invoice"], "reasons": ["the invoice is due before its date"],
        "requested_at": _AT, "claimed_by": None, "claimed_until": None, "decision": None,
        "compliance_score": documents[FIRST]["compliance_score"],
    }  # fmt: skip
    app = FastAPI()

    @app.get("/v1/documents")
    async def listing() -> Response:
        items = [{"document_id": name, "status": "completed", "compliance_score": one["compliance_score"]}
                 for name, one in documents.items()]  # fmt: skip
        return JSONResponse({"items": items, "next_cursor": None})

    @app.get("/v1/documents/{document_id}/judgement")
    async def judgement(document_id: str) -> Response:
        if document_id not in documents:
            return problem(404, "document_not_found", next_step="Check the id.")
        return JSONResponse(documents[document_id])

    @app.get("/v1/rule-sets")
    async def rule_sets() -> Response:
        items = [
            {"name": one.rules.name, "version": one.rules.version, "sha256": one.sha256, "title": one.rules.title,
             "current": one is versions[-1], "rules": len(one.rules.rules)}
            for versions in shipped().values() for one in versions
        ]  # fmt: skip
        return JSONResponse({"items": items, "next_cursor": None})

    @app.get("/v1/rule-sets/{name}")
    async def show(name: str, version: int | None = None) -> Response:
        entry = rule_set(name, version)
        return JSONResponse({"name": name, "version": entry.rules.version, "sha256": entry.sha256, "text": entry.text})

    _reviews(app, review)
    base = twin_app(twin)
    # Ours come first: the twin of the client has a listing of its own.
    base.router.routes[:0] = [route for route in app.router.routes if getattr(route, "path", "").startswith("/v1/")]
    return base


def _reviews(app: FastAPI, review: dict[str, Any]) -> None:
    @app.get("/v1/reviews")
    async def listing(claimed: str | None = None) -> Response:
        held = review["claimed_by"] is not None
        shown = review["awaits"] and {None: True, "mine": held, "nobody": not held}[claimed]
        return JSONResponse({"items": [review] if shown else [], "next_cursor": None})

    @app.get("/v1/reviews/{document_id}")
    async def show(document_id: str) -> Response:
        return JSONResponse(review)

    @app.post("/v1/reviews/{document_id}/{verb}")
    async def act(document_id: str, verb: str, request: Request) -> Response:
        if document_id != FIRST:
            return problem(409, "review_claimed", detail="ben holds it until 10:00.", claimed_by="ben")
        if verb == "decide":
            decision = {**await request.json(), "decided_by": "ann", "decided_at": _AT}
            review.update(awaits=False, outcome=decision["outcome"], decision=decision, claimed_by=None)
        else:
            review.update(claimed_by="ann" if verb == "claim" else None, claimed_until="2026-11-24T10:00:00+00:00")
        return JSONResponse(review)


def judgement_of(document_id: str, values: dict[str, str]) -> dict[str, Any]:
    """An invoice judged by the newest rules, as `GET /v1/documents/{id}/judgement` shows it."""
    reading = reading_of("invoice", values)
    inputs = inputs_of(reading, TODAY)
    entry = rule_set("kyc_aml_v2")
    judged = plain(judge(entry, inputs, judged_at=moment_of(TODAY)))
    return {
        "document_id": document_id, "kind": "invoice", "rule_set": "kyc_aml_v2",
        "rule_set_version": entry.rules.version, "rule_set_sha256": entry.sha256, "judged_at": _AT,
        "judged_as_of": TODAY.isoformat(), "judged_outcome": judged["outcome"], "compliance_score": judged["score"],
        "reasons": judged["reasons"], "open_rules": judged["open_rules"], "results": judged["results"],
        "inputs": inputs, "inputs_kept": True, "values": reading["values"], "outcome": judged["outcome"],
        "decision": None,
    }  # fmt: skip
