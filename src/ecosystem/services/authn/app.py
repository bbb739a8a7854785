"""The composition root: the only place that picks real adapters."""

from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.services.authn.adapters import CredentialFile
from ecosystem.services.authn.jobs import jobs
from ecosystem.services.authn.repository import Identities
from ecosystem.services.authn.routes import client_router, company_router, oauth_router
from ecosystem.services.authn.service import ClientService, CompanyService, FirstAdministrator
from ecosystem.services.authn.settings import ServiceSettings
from ecosystem.services.authn.tokens.failures import Failures
from ecosystem.services.authn.tokens.issuing import TokenService
from ecosystem.services.authn.tokens.keys import Parts, SigningKeys, rotation_of


def build(kernel: Kernel) -> Service:
    settings = kernel.source.get(ServiceSettings)
    parts = Parts(
        Identities(kernel.database), kernel.database, kernel.keyring, kernel.outbox, kernel.audit, kernel.clock,
        kernel.ids,
    )  # fmt: skip
    rotation = rotation_of(settings.key_rotation_seconds, settings.key_lead_seconds, settings.token_seconds)
    keys = SigningKeys(parts, rotation)
    failures = Failures(
        kernel.clock, seconds_max=settings.failure_seconds_max, waiting_max=settings.failures_waiting_max
    )
    tokens = TokenService(parts, keys, failures, token_seconds=settings.token_seconds)
    file = CredentialFile(settings.first_credential_file) if settings.first_credential_file else None
    first = FirstAdministrator(parts, file, failures)
    return Service(
        name=kernel.service,
        routers=(
            company_router(CompanyService(parts, settings)),
            client_router(ClientService(parts, settings)),
            oauth_router(tokens, keys, first),
        ),
        jobs=jobs(keys),
        before_ready=(keys.rotate, first.prepare),
    )
