"""What routes accept and return."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

AgentName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,99}$")]
Short = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CompanyAsked(Body):
    name: str = Field(max_length=400)
    region: Short
    time_zone: Short
    locale: Short
    currency: Short


class ClientAsked(Body):
    """`company_id` is for platform administrators; everybody else creates clients of its own company."""

    name: str = Field(max_length=400)
    roles: list[Short] = Field(min_length=1, max_length=10)
    agents: list[AgentName] = Field(default_factory=list, max_length=50)
    company_id: UUID | None = None


class FirstAsked(Body):
    credential: str = Field(min_length=1, max_length=200)


class TokenAsked(BaseModel):
    """RFC 6749, section 4.4.2. Credentials stand here or in the Authorization header; what else is sent is ignored."""

    grant_type: Literal["client_credentials"]
    scope: str | None = Field(default=None, description="Separated by spaces. Default: all that the client has.")
    company_id: UUID | None = Field(default=None, description="For the platform's administrators.")
    client_id: str | None = None
    client_secret: str | None = None


class TokenGiven(BaseModel):
    """RFC 6749, section 5.1. `expires_in` is in seconds."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


class TokenRefused(BaseModel):
    """RFC 6749, section 5.2."""

    error: str
    error_description: str


class CompanyShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    company_id: UUID
    name: str
    region: str
    time_zone: str
    locale: str
    currency: str
    created_at: datetime


class ClientShown(BaseModel):
    client_id: str
    name: str
    company_id: UUID | None
    roles: list[str]
    agents: list[str]
    status: str
    created_at: datetime
    revoked_at: datetime | None


class ClientWithSecret(ClientShown):
    """The secret is shown this once; only its keyed hash is kept."""

    client_secret: str
    former_secret_until: datetime | None = None


class FirstShown(BaseModel):
    client_id: str
    client_secret: str
