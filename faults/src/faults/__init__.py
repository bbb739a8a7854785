"""The fault campaign: a platform of its own under load, seeded faults, and a checker that knows what was promised."""
