"""Whether an answer is what `schemas/openapi` says of its route."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel, ValidationError

from ecosystem.kernel.http.problems import InvalidProblem, Problem
from ecosystem.kernel.runtime.agent_door import HandleAnswer
from ecosystem.services.authn.schemas import TokenGiven, TokenRefused

_FOLDER = Path(__file__).parents[2] / "schemas" / "openapi"
_MODELS: dict[str, type[BaseModel]] = {
    model.__name__: model for model in (Problem, InvalidProblem, HandleAnswer, TokenGiven, TokenRefused)
}


@cache
def described(service: str) -> Any:
    return json.loads((_FOLDER / f"{service}.json").read_text())


def operation(document: Any, method: str, path: str) -> Any:
    """The most literal path of the document that this one is an instance of."""
    fitting = [one for one in document["paths"] if re.fullmatch(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(one)), path)]
    return document["paths"][min(fitting, key=lambda one: one.count("{"))][method.lower()]


def answers(document: Any, one: Any) -> dict[str, Any]:
    """The answers of an operation by their status, as a generated client reads them."""
    return {
        status: document["components"]["responses"][answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
        for status, answer in one["responses"].items()
    }


def misfit(service: str, answer: httpx.Response) -> str | None:
    """What an answer has that is described otherwise; None where all is as described.

    The status has an entry of its own (or `default`), that has the media type and the headers, and the body is of the
    schema, whose component is the one that the model of the same name has.
    """
    document = described(service)
    found = answers(document, operation(document, answer.request.method, answer.request.url.path))
    entry = found.get(str(answer.status_code), found["default"])
    media_type = answer.headers["content-type"].partition(";")[0]
    if media_type not in entry["content"]:
        return f"{answer.status_code} is {media_type}, described are {', '.join(entry['content'])}"
    if missing := [name for name in entry.get("headers", ()) if name not in answer.headers]:
        return f"{answer.status_code} lacks the header {missing[0]}"
    name = entry["content"][media_type]["schema"]["$ref"].rpartition("/")[2]
    try:
        _MODELS[name].model_validate_json(answer.content, strict=True)
    except ValidationError as error:
        return f"{answer.status_code} is no {name}: {error}"
    return None
