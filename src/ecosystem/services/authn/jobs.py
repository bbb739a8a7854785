"""The timer of authn: signing keys are made before they are needed."""

from datetime import timedelta

from ecosystem.kernel.runtime.service import Job
from ecosystem.services.authn.tokens.keys import SigningKeys


def jobs(keys: SigningKeys) -> tuple[Job, ...]:
    return (Job("rotate-signing-keys", timedelta(seconds=20), keys.rotate),)
