"""`eco client`: the programs and people that act for a company, each with an id and a secret."""

import argparse

from ecosystem.cli import screen
from ecosystem.cli.noun import Verb, company_option, pages, paging_options, run_noun, show_page
from ecosystem.cli.operator import connect_for
from ecosystem.contracts.authn import ROLES
from ecosystem_client.models import Client

SUMMARY = "Clients: create, list, revoke, rotate-secret."


def main(arguments: list[str]) -> int:
    verbs = (
        Verb("create", "Register a client; its secret is shown this once.", _create, _create_options),
        Verb("list", "List the clients of a company.", _list, _list_options),
        Verb("revoke", "End a client: it gets no more tokens.", _revoke, _one),
        Verb("rotate-secret", "Give a client a new secret.", _rotate, _one),
    )
    return run_noun("client", SUMMARY, verbs, arguments)


def _create_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument(
        "--role", action="append", choices=sorted(ROLES), help="may be given again (default: integrator)"
    )
    parser.add_argument("--agent", action="append", default=[], help="an agent that it may speak as; may be repeated")
    company_option(parser)


def _list_options(parser: argparse.ArgumentParser) -> None:
    paging_options(parser)
    company_option(parser)


def _one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("client_id", metavar="ID")
    company_option(parser)


def _create(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        client = ecosystem.clients.create(parsed.name, roles=parsed.role or ["integrator"], agents=parsed.agent)
    return _show_secret(parsed, client, f"Created {client.name or parsed.name}.")


def _show_secret(parsed: argparse.Namespace, client: Client, said: str) -> int:
    if parsed.json:
        screen.as_json(client.raw)
        return 0
    screen.out(screen.clean(said))
    screen.facts((("client_id", client.client_id), ("client_secret", client.client_secret)))
    screen.note("The secret is shown this once. Keep it where your program reads it, not in its code.")
    return 0


def _list(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        page = pages(parsed, lambda cursor: ecosystem.clients.page(limit=parsed.limit, cursor=cursor))
    return show_page(
        parsed,
        page,
        ("id", "name", "roles", "agents", "created", "revoked"),
        lambda one: (
            one.client_id,
            one.name,
            ", ".join(one.roles),
            ", ".join(one.agents),
            screen.when(one.created_at),
            screen.when(one.revoked_at),
        ),
        empty="This company has no client yet. Next: eco client create NAME",
    )


def _revoke(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        ecosystem.clients.revoke(parsed.client_id)
    if parsed.json:
        screen.as_json({"client_id": parsed.client_id, "revoked": True})
        return 0
    screen.out(f"Revoked {parsed.client_id}: it gets no more tokens, and those it has end within their minutes.")
    return 0


def _rotate(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        client = ecosystem.clients.rotate_secret(parsed.client_id)
    until = client.former_secret_until
    old = f"works until {screen.when(until)}" if until else "is refused"
    return _show_secret(parsed, client, f"{parsed.client_id} has a new secret; the old one {old}.")
