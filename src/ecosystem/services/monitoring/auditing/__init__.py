"""The audit trail: chained as it is consumed, found again, proved, handed out."""
