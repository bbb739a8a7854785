"""The kernel knows no service. Packages' `__init__` hold only a docstring: import from the module that owns the name."""
