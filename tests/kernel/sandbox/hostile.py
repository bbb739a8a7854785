"""What a document that took over its parser would try. Run in the sandbox only."""

import _posixsubprocess  # noqa: F401 loaded before the lock, so that it is not the import that is refused
import ctypes
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)
_prepared: list[int] = []
_rehearsed: list[int] = []


def prepare_sandbox() -> None:
    _prepared.append(os.getpid())


def rehearse_sandbox() -> None:
    _rehearsed.append(os.getpid())


def rehearsals(payload: bytes) -> bool:
    """Whether this very worker has rehearsed, after its lock was shut."""
    try:
        os.open("/proc/self/stat", os.O_RDONLY)
    except PermissionError:
        return _rehearsed == [os.getpid()]
    return False


def echo(payload: bytes, **arguments: Any) -> Any:
    return {"size": len(payload), "head": payload[:8].hex(), "arguments": arguments, "prepared": len(_prepared)}


def stages(payload: bytes, *, count: int) -> Iterator[int]:
    for _ in range(count):
        yield os.getpid()


def one_stage_then_loop(payload: bytes) -> Iterator[int]:
    yield os.getpid()
    loop(payload)


def one_stage_then_die(payload: bytes) -> Iterator[int]:
    yield os.getpid()
    die(payload)


def own_pid(payload: bytes) -> int:
    return os.getpid()


def remember(payload: bytes) -> int:
    """How many jobs this process has seen."""
    _prepared.append(1)
    return len(_prepared)


def faults_of_repetition(payload: bytes) -> int:
    """Page faults of allocating and freeing 48 MB ten times, after the first time."""
    bytearray(48 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        bytearray(48 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def faults_of_a_first_use(payload: bytes) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(32 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def loop(payload: bytes) -> None:
    while True:
        pass


def allocate(payload: bytes) -> int:
    return len(bytearray(4 << 30))


def allocate_slowly(payload: bytes) -> int:
    pieces = []
    while True:
        pieces.append(bytearray(1 << 20))


def abort_without_memory(payload: bytes) -> None:
    """As a parser in C does: ask for more and more, and give up where nothing comes."""
    _LIBC.malloc.restype = ctypes.c_void_p
    while place := _LIBC.malloc(ctypes.c_size_t(1 << 20)):
        ctypes.memset(place, 1, 1 << 20)
    _LIBC.abort()


def flood(payload: bytes) -> str:
    return "x" * (64 << 20)


def flood_the_channel(payload: bytes) -> None:
    """Past the framing: a length that promises 4 GiB, then bytes without end."""
    os.write(3, b"\xff\xff\xff\xff")
    while True:
        os.write(3, b"x" * 65536)


def lie(payload: bytes) -> None:
    os.write(3, b"\x00\x00\x00\x05hello")
    os._exit(0)


def die(payload: bytes) -> None:
    ctypes.string_at(0)


def leave(payload: bytes) -> None:
    os._exit(0)


def complain(payload: bytes) -> None:
    sys.stdout.write(payload.decode())
    sys.stderr.write(payload.decode())
    raise ValueError(payload.decode())


def strange_answer(payload: bytes) -> object:
    return object()


def recurse(payload: bytes) -> Any:
    return recurse(payload)


def _attempts(path: str) -> dict[str, Callable[[], Any]]:
    return {
        "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "unix_socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
        "socketpair": lambda: socket.socketpair(),
        "fork": os.fork,
        "vfork": lambda: subprocess.run(["/bin/true"], check=True),
        "exec": lambda: os.execv("/bin/true", ["/bin/true"]),
        "thread": lambda: threading.Thread(target=print).start(),
        "read_file": lambda: os.open("/etc/hostname", os.O_RDONLY),
        "write_file": lambda: os.open(path, os.O_WRONLY | os.O_CREAT),
        "make_folder": lambda: os.mkdir(path),
        "unlink": lambda: os.unlink("/etc/hostname"),
        "list": lambda: os.listdir("/"),
        "stat": lambda: os.stat("/"),
        "kill_parent": lambda: os.kill(os.getppid(), 9),
        "kill_self_group": lambda: os.killpg(0, 9),
        "ptrace": lambda: _call(101, 16, 1, 0, 0),
        "io_uring": lambda: _call(425, 8, 0),
        "memfd": lambda: os.memfd_create("x"),
        "keyctl": lambda: _call(250, 0, 0, 0),
        "bpf": lambda: _call(321, 0, 0, 0),
        "unshare": lambda: _call(272, 0x10000000),
        "process_vm_readv": lambda: _call(310, 1, 0, 0, 0, 0, 0),
        "limits_of_others": lambda: _call(302, 1, 7, 0, 0),
        "executable_memory": lambda: _call(9, 0, 4096, 7, 0x22, 0xFFFFFFFFFFFFFFFF, 0),
        "setuid": lambda: os.setuid(0),
        "chroot": lambda: os.chroot("/"),
        "raise_memory_limit": lambda: _raise_memory_limit(),
    }


def _raise_memory_limit() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _call(number: int, *arguments: int) -> None:
    if _LIBC.syscall(ctypes.c_long(number), *[ctypes.c_ulong(value) for value in arguments]) == -1:
        raise OSError(ctypes.get_errno(), "refused")


def attempt_with_network(payload: bytes, path: str) -> dict[str, str]:
    """What is refused to our own code that speaks with the world, too; and what is not."""
    names = {"socket", "read_file", "exec", "make_folder", "unlink", "ptrace", "io_uring", "bpf", "unshare",
             "kill_parent", "process_vm_readv", "write_file"}  # fmt: skip
    actions = {name: action for name, action in _attempts(path).items() if name in names}
    actions["write_file"] = lambda: os.write(os.open(path, os.O_WRONLY | os.O_CREAT), b"x")
    results = {}
    for name, action in actions.items():
        try:
            action()
            results[name] = "done"
        except BaseException as error:
            results[name] = type(error).__name__
    return results


def attempt(payload: bytes, path: str) -> dict[str, str]:
    """Each attempt with what came of it: `done`, or the name of the error."""
    results = {}
    for name, action in _attempts(path).items():
        try:
            action()
            results[name] = "done"
        except BaseException as error:
            results[name] = type(error).__name__
    return results
