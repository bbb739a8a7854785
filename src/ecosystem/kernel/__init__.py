"""The kernel knows no service. An `__init__` holds only a docstring: import from the module that owns the name."""
