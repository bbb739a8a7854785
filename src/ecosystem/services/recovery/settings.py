"""Settings of recovery-agent, section `recovery`."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from ecosystem.contracts.recovery import FaultKind
from ecosystem.kernel.settings import Settings


class ServiceSettings(Settings):
    section: ClassVar[str] = "recovery"

    journal_file: Path | None = Field(None, description="What the supervisor writes of its processes.")
    certificates_folder: Path | None = Field(None, description="Where the fleet keeps the processes' certificates.")
    journal_every_seconds: float = Field(1, ge=0.2, le=60, description="How often the journal is read.")
    look_every_seconds: float = Field(5, ge=1, le=60, description="How often everything else is looked at.")
    propose_only: list[str] = Field(
        default_factory=list, description="Kinds of faults that are repaired only when a person approves."
    )
    repairs_per_hour_max: dict[str, Annotated[int, Field(ge=0, le=1000)]] = Field(
        default_factory=dict, description="Repairs of one kind of fault within an hour, where not the built-in number."
    )
    help_after_seconds: float = Field(60, ge=5, le=3600, description="A fault that lasts longer needs a person.")
    calm_seconds: float = Field(30, ge=5, le=3600, description="A crash loop is over when nothing ended for so long.")
    horizon_seconds_max: float = Field(10, ge=0.1, le=3600, description="An older write transaction is a fault.")
    horizon_end_sessions: bool = Field(False, description="Whether the session that holds the horizon may be ended.")
    consumer_lag_seconds_max: float = Field(60, ge=5, le=86_400, description="A consumer further behind is a fault.")
    stuck_run_seconds_max: float = Field(900, ge=60, le=86_400, description="A run without a step for longer is stuck.")
    waiting_call_seconds_max: float = Field(
        300, ge=1, le=86_400, description="A call that waits longer for an agent that is away needs a person."
    )
    disk_free_bytes_min: int = Field(256 * 1024**2, ge=2**20, le=2**50, description="Less free space is a fault.")
    certificate_life_share_min: float = Field(
        0.2, gt=0, lt=0.33, description="A certificate with less of its life left is a fault; the fleet renews at 1/3."
    )
    connections_share_max: float = Field(0.9, gt=0, le=1, description="More of the database's connections is a fault.")
    count_seconds: float = Field(60, ge=10, le=600, description="What is counted within this time makes a rate.")
    error_share_max: float = Field(
        0.25, gt=0, le=1, description="A larger share of failed requests to a service or calls to an agent is a fault."
    )
    errors_min: int = Field(20, ge=1, le=100_000, description="Fewer failures in that time are no fault.")
    pool_refusals_max: int = Field(
        5, ge=1, le=100_000, description="So many in that time that found no connection or no room are a fault."
    )
    episodes_kept_days: int = Field(400, ge=1, le=4000, description="How long an episode that ended is kept.")

    @field_validator("propose_only", "repairs_per_hour_max")
    @classmethod
    def _known(cls, named: list[str] | dict[str, int]) -> list[str] | dict[str, int]:
        kinds = [kind.value for kind in FaultKind]
        if unknown := sorted(set(named) - set(kinds)):
            raise ValueError(f"there is no kind of fault {', '.join(unknown)}; there are {', '.join(kinds)}")
        return named
