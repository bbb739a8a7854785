"""One worker: forked ready, locked, rehearsed, given one job, gone. A second job never sees what the first one left."""

import array
import ctypes
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import orjson

from ecosystem.kernel.sandbox import seccomp

CHANNEL = 3
HEADER = struct.Struct("!I")
BEGUN = b"\x01"
"""Sent before the work: without it the parent may give the job to another worker."""
_HEADER_BYTES_MAX = 64 << 20
_FILES_MAX, _NETWORK_FILES_MAX = 8, 64
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 1 << 30
_MADV_POPULATE_WRITE = 23
_PAGE_BYTES = resource.getpagesize()
_LIBC = ctypes.CDLL(None)
_LIBC.malloc.restype, _LIBC.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
_LIBC.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_LIBC.free.argtypes = (ctypes.c_void_p,)


def enter(channel: socket.socket, niceness: int, modules: Iterable[str], parent: int, *, network: bool) -> None:
    """Turn the process just forked from the spawner into a locked worker; never returns."""
    status = 1
    try:
        ours = _isolate(channel, niceness, parent, _NETWORK_FILES_MAX if network else _FILES_MAX)
        base_bytes, begun_with_bytes = memory_bytes()
        seccomp.lock(network=network)
        _rehearse(modules)
        _serve(ours, base_bytes, begun_with_bytes)
        status = 0
    finally:
        os._exit(status)


def _isolate(channel: socket.socket, niceness: int, parent: int, files_max: int) -> socket.socket:
    seccomp.die_with_parent(signal.SIGKILL, parent)
    seccomp.name_process("sandbox worker")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    os.nice(niceness)
    _keep_memory()
    # Nothing is printed: a parser's complaint may quote the document.
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.dup2(channel.detach(), CHANNEL, inheritable=False)
    os.closerange(CHANNEL + 1, 1 << 16)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    for limit, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, files_max)):
        resource.setrlimit(limit, (value, value))
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=CHANNEL)


def _keep_memory() -> None:
    """Let the allocator reuse what was freed (mallopt(3)): given back, each large array would be page faults again."""
    for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
        _LIBC.mallopt(option, _KEPT_BYTES)


def _take_memory(size_bytes: int) -> None:
    """Have this much of the heap in memory before it is used. Where the kernel cannot (before 5.14), faults do it."""
    place = _LIBC.malloc(size_bytes)
    if place:
        begin = place + -place % _PAGE_BYTES
        _LIBC.madvise(begin, (place + size_bytes - begin) // _PAGE_BYTES * _PAGE_BYTES, _MADV_POPULATE_WRITE)
        _LIBC.free(place)


def _rehearse(modules: Iterable[str]) -> None:
    """Let each module that has a `rehearse_sandbox()` do once what it will be asked for, unless a job waits already."""
    waiting = select.poll()
    waiting.register(CHANNEL, select.POLLIN)
    for name in modules:
        rehearse = getattr(sys.modules[name], "rehearse_sandbox", None)
        if rehearse is not None and not waiting.poll(0):
            rehearse()


def memory_bytes() -> tuple[int, int]:
    """Address space, and what of it is in memory."""
    with open("/proc/self/statm", "rb") as file:
        size, resident = file.read().split()[:2]
    return int(size) * resource.getpagesize(), int(resident) * resource.getpagesize()


def _serve(channel: socket.socket, base_bytes: int, begun_with_bytes: int) -> None:
    received = _receive_job(channel)
    if received is None:
        return
    job, payload_fd = received
    payload_bytes = job["payload_bytes"]
    memory_bytes = base_bytes + payload_bytes + job["memory_bytes_max"]
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    # The parent's wall clock is the limit; this one holds if the parent is gone.
    resource.setrlimit(resource.RLIMIT_CPU, (job["cpu_seconds"], job["cpu_seconds"] + 1))
    os.write(CHANNEL, BEGUN)
    for answer in _answers(job, payload_fd, begun_with_bytes):
        _send(answer)


def _answers(job: dict[str, Any], payload_fd: int, begun_with_bytes: int) -> Iterator[bytes]:
    """One answer, or those of a generator function with a last one that says that they ended."""
    try:
        payload = _read_payload(payload_fd, job["payload_bytes"])
        if job["memory_bytes_sure"]:
            _take_memory(job["memory_bytes_sure"])
        value = _function(job["target"])(payload, **job["arguments"])
        for one in value if isinstance(value, Generator) else (value,):
            # Not orjson: it crashes where memory ends, this one says so.
            memory_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - begun_with_bytes
            whole = {"value": one, "memory_bytes": max(memory_bytes, 0)}
            answer = json.dumps(whole, ensure_ascii=False, allow_nan=False).encode()
            if len(answer) > job["output_bytes_max"]:
                yield orjson.dumps({"error": "output"})
                return
            yield answer
        yield orjson.dumps({"ended": True})
    except MemoryError:
        yield orjson.dumps({"error": "memory"})
    except (Exception, SystemExit) as error:
        yield orjson.dumps({"error": "raised", "type": type(error).__name__[:100]})


def _function(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(sys.modules[module], name)
    return function


def _read_payload(descriptor: int, size: int) -> bytes:
    """In one piece wherever the system gives it so: pieces that are joined would stand in memory twice."""
    pieces, left = [], size
    while left > 0 and (piece := os.pread(descriptor, left, size - left)):
        pieces.append(piece)
        left -= len(piece)
    os.close(descriptor)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _receive_job(channel: socket.socket) -> tuple[dict[str, Any], int] | None:
    """The job and the descriptor of its payload; None where the parent went away."""
    head, ancillary, _, _ = channel.recvmsg(HEADER.size, socket.CMSG_LEN(4))
    if not ancillary:
        return None
    (descriptor,) = array.array("i", ancillary[0][2][:4])
    (size,) = HEADER.unpack(head)
    if size > _HEADER_BYTES_MAX:
        return None
    job: dict[str, Any] = orjson.loads(_read(size))
    return job, descriptor


def _read(size: int) -> bytes:
    pieces, left = [], size
    while left > 0 and (piece := os.read(CHANNEL, left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _send(answer: bytes) -> None:
    data = memoryview(HEADER.pack(len(answer)) + answer)
    while data:
        data = data[os.write(CHANNEL, data) :]
