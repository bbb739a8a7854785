"""Owns the audit trail, incidents, who is on call, and what is sent to people.

Refuses to change an entry of the trail, and to page twice for one episode.
Tells everybody by the events incident_opened, incident_escalated, incident_acknowledged and incident_closed.
"""
