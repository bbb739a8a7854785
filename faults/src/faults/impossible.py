"""A kind of fault that this machine does not allow."""


class Impossible(Exception):
    """The text is the reason, as the summary prints it."""
