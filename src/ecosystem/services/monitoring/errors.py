"""What monitoring-service refuses."""

from ecosystem.kernel.errors import Conflict, Forbidden, Invalid, NotFound


class IncidentUnknown(NotFound):
    code = "incident_unknown"
    rule = "There is no incident with this id or number that the caller may see."
    suggestion = "GET /v1/incidents (eco incidents list) shows those there are."


class IncidentOver(Conflict):
    code = "incident_over"
    rule = "A closed incident is neither acknowledged nor resolved again."
    suggestion = "Read it (eco incidents show): it says who closed it and when."


class PostmortemChanged(Conflict):
    code = "postmortem_changed"
    rule = "What is written replaces what its writer has read, and somebody has written since."
    suggestion = "Read it again (--json prints it) and add your words; `instead_of` is the `written_at` that was read."


class AuditEntryUnknown(NotFound):
    code = "audit_entry_unknown"
    rule = "There is no audit entry of this id in the caller's trail."
    suggestion = "GET /v1/audit (eco audit list) shows the newest ones; an entry comes a moment after its deed."


class ServiceUnknown(NotFound):
    code = "service_unknown"
    rule = "There is no service of this registered name."
    suggestion = "eco status names every service."


class OperatorsOnly(Forbidden):
    code = "operators_only"
    rule = "What concerns the whole platform is for its operators; the caller belongs to a company."
    suggestion = "Ask the platform engineer, or read /v1/status."


class TemplateUnknown(Invalid):
    code = "template_unknown"
    rule = "A message is written by a template that there is."
    suggestion = "docs/guides/on-call.md names the templates."


class ChannelRefused(Invalid):
    code = "channel_refused"
    rule = "A channel has a name of small letters and digits, and an address that Apprise understands."
    suggestion = "docs/guides/on-call.md shows addresses of mail, chats and webhooks."


class ChannelKept(Conflict):
    code = "channel_exists"
    rule = "Channels of one company have different names."
    suggestion = "Choose another name, or remove that channel first (eco notifications remove NAME)."


class ChannelUnknown(NotFound):
    code = "channel_unknown"
    rule = "There is no channel of this name that the caller may see."
    suggestion = "GET /v1/notifications/channels (eco notifications channels) shows those there are."


class NotificationUnknown(NotFound):
    code = "notification_unknown"
    rule = "There is no message of this id that the caller may see."
    suggestion = "GET /v1/notifications (eco notifications list) shows the newest ones."


class RotaRefused(Invalid):
    code = "rota_refused"
    rule = "A rota is YAML in the form of schemas/rota.schema.json."
    suggestion = "Correct the named lines; docs/guides/on-call.md shows a rota."


class RotaMissing(NotFound):
    code = "rota_missing"
    rule = "Nobody is on call: there is no rota yet."
    suggestion = "Write one as docs/guides/on-call.md shows, then eco oncall set rota.yaml."


class PersonUnknown(NotFound):
    code = "person_unknown"
    rule = "The rota has no person, or no level, of this name."
    suggestion = "GET /v1/oncall (eco oncall show) names the people and levels there are."


class MomentRefused(Invalid):
    code = "moment_refused"
    rule = "A rota tells who is on call between the years 1970 and 2200."
    suggestion = "Ask for a moment in between."


class OverrideRefused(Invalid):
    code = "override_refused"
    rule = "An override begins within a year, ends after its begin and in the future, and lasts 60 days at most."
    suggestion = "Correct its times; they are read in the zone of the rota where they name none."


class PageUnknown(NotFound):
    code = "page_unknown"
    rule = "There is no page of this id that the caller may see."
    suggestion = "GET /v1/oncall/pages (eco oncall show) shows those that are open."


class PageOver(Conflict):
    code = "page_over"
    rule = "A page that is over is not acknowledged any more."
    suggestion = "Read it (eco oncall show): it says who took it and when."


class LinkRefused(Forbidden):
    code = "link_refused"
    rule = "A link of a page is whole, signed by this platform, and not older than its page allows."
    suggestion = "Use the newest message of the page, or eco oncall ack PAGE."
