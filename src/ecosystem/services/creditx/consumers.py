"""The door for events: how a company writes its dates, and what day it is there."""

from ecosystem.contracts.authn import CompanyCreated
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.services.creditx.repository import Documents


def consumers(database: Database, documents: Documents) -> tuple[Consumer, ...]:
    async def company_created(envelope: Envelope) -> None:
        company = envelope.read(CompanyCreated)
        # The platform's administrator made it: the event may belong to no company, its habits belong to this one.
        async with database.as_company(company.company_id):
            await documents.keep_habits(company.company_id, company.time_zone, company.locale, company.currency)

    return (Consumer("creditx-companies", {CompanyCreated: company_created}),)
