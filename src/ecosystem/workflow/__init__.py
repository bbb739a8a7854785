"""Workflows as data: the CNCF Serverless Workflow DSL 1.0 in a subset, parsed, checked, evaluated, and run durably."""
