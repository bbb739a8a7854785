"""Next steps in the words of commands, by the code of a refusal: the platform's own are for who speaks HTTP."""

STEPS = {
    "audit_entry_unknown": "eco audit list, with the same --company",
    "company_not_found": "eco company list",
    "document_in_progress": "eco documents show ID, until its status is completed",
    "document_not_found": "eco documents list, with the same --company",
    "idempotency_key_spent": "eco client rotate-secret ID",
    "incident_over": "eco incidents show NUMBER says who closed it and when",
    "incident_unknown": "eco incidents list",
    "login_refused": "eco login",
    "operators_only": "eco incidents show NUMBER, without --company, as an operator of the platform",
    "page_not_found": "eco documents show ID says how many pages there are",
    "review_claimed": "eco reviews list --free shows what nobody holds",
    "review_decided": "eco documents result ID shows the decision; it stands",
    "review_not_asked": "eco reviews list shows what awaits a decision",
    "review_not_claimed": "eco reviews claim ID, look at the document again, then eco reviews decide ID",
    "review_not_held": "eco reviews show ID says who holds it",
    "rule_set_unknown": "eco rules list",
    "scope_missing": "eco login --client ID, as a client whose role has this scope",
    "token_expired": "eco login",
    "token_invalid": "eco login",
    "unauthenticated": "eco login",
}
