"""`eco company`: the tenants of the platform."""

import argparse

from ecosystem.cli import screen
from ecosystem.cli.noun import Verb, pages, paging_options, run_noun, show_page
from ecosystem.cli.operator import connect

SUMMARY = "Companies: create, list, show."


def main(arguments: list[str]) -> int:
    verbs = (
        Verb("create", "Create a company.", _create, _create_options),
        Verb("list", "List the companies.", _list, paging_options),
        Verb("show", "Show one company.", _show, _id),
    )
    return run_noun("company", SUMMARY, verbs, arguments)


def _id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("company_id", metavar="ID")


def _create_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--region", default="eu", help="where its data lives (default: eu)")
    parser.add_argument("--time-zone", default="Europe/Zurich", help="IANA name (default: Europe/Zurich)")
    parser.add_argument("--locale", default="en_GB", help="how its documents write dates (default: en_GB)")
    parser.add_argument("--currency", default="CHF", help="ISO 4217 (default: CHF)")


def _create(parsed: argparse.Namespace) -> int:
    with connect() as ecosystem:
        company = ecosystem.companies.create(
            parsed.name,
            region=parsed.region,
            time_zone=parsed.time_zone,
            locale=parsed.locale,
            currency=parsed.currency,
        )
    if parsed.json:
        screen.as_json(company.raw)
        return 0
    screen.out(f"Created {screen.clean(company.name)}: {company.company_id}")
    screen.note(f"Next: eco client create NAME --company {company.company_id} --role integrator")
    return 0


def _list(parsed: argparse.Namespace) -> int:
    with connect() as ecosystem:
        page = pages(parsed, lambda cursor: ecosystem.companies.page(limit=parsed.limit, cursor=cursor))
    return show_page(
        parsed,
        page,
        ("id", "name", "region", "time zone", "locale", "currency"),
        lambda one: (one.company_id, one.name, one.region, one.time_zone, one.locale, one.currency),
        empty="There is no company yet. Next: eco company create NAME",
    )


def _show(parsed: argparse.Namespace) -> int:
    with connect() as ecosystem:
        company = ecosystem.companies.get(parsed.company_id)
    if parsed.json:
        screen.as_json(company.raw)
        return 0
    screen.record(company.raw)
    return 0
