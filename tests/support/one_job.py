"""One tick of one job of a service, in a process of its own, against a test's database and folder: to be killed."""

from tests.support.killing import Place  # noqa: F401
