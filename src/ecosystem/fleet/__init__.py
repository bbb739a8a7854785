"""Starts, watches and replaces the processes of one machine; imports no service: `__main__` hands it `load`."""
