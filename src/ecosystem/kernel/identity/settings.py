"""Where a process finds the proof of who it is."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class IdentitySettings(Settings):
    """`pem_file` holds key and certificate together; `ca_file` the certificates of every trusted authority.

    `revoked_file` lists serials that count no longer; without one nothing is revoked.
    """

    section: ClassVar[str] = "identity"

    pem_file: Path = Field(description="Certificate and key of this process, PEM.")
    ca_file: Path = Field(description="Authorities that its peers are signed by, PEM.")
    revoked_file: Path | None = Field(default=None, description="Certificates that were revoked.")
    trust_domain: str = Field(default="eco.local", pattern=r"^[a-z0-9.-]{1,100}$", description="Of the SPIFFE names.")
    watch_seconds: float = Field(default=1.0, ge=0.05, le=60, description="How often the files are looked at.")
    drain_seconds: float = Field(
        default=30.0, ge=0, le=300, description="How long calls on a former certificate may go on."
    )
