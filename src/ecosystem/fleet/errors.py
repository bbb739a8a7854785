"""What can be wrong with a machine or a home, each with the step that mends it."""

from ecosystem.kernel.errors import EcosystemError, Kind, Severity


class FleetRefused(EcosystemError):
    code, status, kind, severity = "fleet_refused", 409, Kind.PERMANENT, Severity.HIGH
    rule = "The platform cannot be started here."
    suggestion = "`eco doctor` prints what is wrong with this machine and how to mend it."


class AlreadyRunning(FleetRefused):
    code = "already_running"
    rule = "A platform already runs in this home."
    suggestion = "`eco status` shows it; `eco down` stops it; another ECO_HOME starts one beside it."


class HomeTooNew(FleetRefused):
    code = "home_too_new"
    rule = "This home was written by a newer version."
    suggestion = "Update this checkout, or choose another ECO_HOME."


class HomeForeign(FleetRefused):
    code = "home_foreign"
    rule = "A platform starts in an empty folder, or in the home of one."
    suggestion = "Choose a folder that is empty or not there yet: ECO_HOME=FOLDER eco up"


class HomeUnreachable(FleetRefused):
    code = "home_unreachable"
    rule = "The account that engines and services run as cannot enter the home."
    suggestion = "Choose a home that it can enter, for example ECO_HOME=/var/lib/ecosystem."


class HomeNotWritable(FleetRefused):
    code = "home_not_writable"
    rule = "The home cannot be written."
    suggestion = "Choose an ECO_HOME that you may write, or make room on its disk."


class HomeOfOthers(FleetRefused):
    code = "home_of_others"
    rule = "A home is its owner's alone."
    suggestion = "Be that account (sudo -u NAME …), or choose a home of your own: ECO_HOME=FOLDER eco …"


class PortBusy(FleetRefused):
    code = "port_busy"
    rule = "The port that was asked for is in use."
    suggestion = "Choose another fleet.edge_port, or none: then the next free one is taken."


class EngineMissing(FleetRefused):
    code = "engine_missing"
    rule = "An engine that the platform needs was not found."
    suggestion = "Run ./eco once more to install the wheels, or give a URL in eco.toml."


class EngineFailed(EcosystemError):
    code, status, kind, severity = "engine_failed", 503, Kind.UNKNOWN, Severity.CRITICAL
    rule = "An engine did not start."
    suggestion = "`eco logs ENGINE` shows its last lines; `eco doctor` what is wrong with the machine."


class NotStarted(EcosystemError):
    code, status, kind, severity = "not_started", 503, Kind.UNKNOWN, Severity.HIGH
    rule = "Not every part of the platform became ready."
    suggestion = "`eco logs SERVICE` shows the last lines of each; `eco doctor` what is wrong with the machine."
