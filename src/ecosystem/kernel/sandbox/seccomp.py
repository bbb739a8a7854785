"""The filter of system calls (seccomp BPF, x86-64): an allow-list of what a parser of bytes needs.

What speaks with the world (`network`) cannot be told in such a list: there the calls that reach beyond the process by
other ways than a connection are refused, and all else is allowed.

Whatever is not listed fails with EPERM: sockets, opening or changing files, new processes and threads, exec,
signals to others, ptrace, namespaces, io_uring. Memory can never become executable. A call in the manner of
another architecture kills the process. Source: seccomp(2), linux/filter.h, linux/audit.h, unistd_64.h.
"""

import ctypes
import errno
import os
import platform
import struct
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 15, 22, 38
_SECCOMP_MODE_FILTER = 2
_KILL_PROCESS, _ERRNO, _ALLOW = 0x8000_0000, 0x0005_0000, 0x7FFF_0000
_ARCH_X86_64, _X32_BIT = 0xC000_003E, 0x4000_0000
_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_AT_NUMBER, _AT_ARCH = 0, 4
_PROT_EXEC = 0x4

ALLOWED = {
    "read": 0, "write": 1, "close": 3, "poll": 7, "lseek": 8, "munmap": 11, "brk": 12, "rt_sigaction": 13,
    "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17, "readv": 19, "writev": 20, "sched_yield": 24,
    "mremap": 25, "madvise": 28, "nanosleep": 35, "getpid": 39, "recvmsg": 47, "exit": 60, "gettimeofday": 96,
    "getrlimit": 97, "getrusage": 98, "times": 100, "sigaltstack": 131, "gettid": 186, "time": 201, "futex": 202,
    "sched_getaffinity": 204, "restart_syscall": 219, "clock_gettime": 228, "clock_getres": 229,
    "clock_nanosleep": 230, "exit_group": 231, "getrandom": 318, "membarrier": 324, "rseq": 334,
}  # fmt: skip
_MMAP, _MPROTECT, _PRLIMIT64 = 9, 10, 302
REFUSED_WITH_NETWORK = {
    "accept": 43, "listen": 50, "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "rename": 82, "mkdir": 83,
    "rmdir": 84, "link": 86, "unlink": 87, "symlink": 88, "chmod": 90, "chown": 92, "ptrace": 101, "mount": 165,
    "tkill": 200, "mkdirat": 258, "unlinkat": 263, "renameat": 264, "linkat": 265, "symlinkat": 266, "unshare": 272,
    "accept4": 288, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "renameat2": 316, "bpf": 321,
    "execveat": 322, "io_uring_setup": 425,
}  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def supported() -> bool:
    return platform.system() == "Linux" and platform.machine() == "x86_64"


def _argument(number: int, *, high: bool = False) -> int:
    """The offset of a 64-bit argument's half in `struct seccomp_data` (little endian)."""
    return 16 + 8 * number + (4 if high else 0)


def program(*, network: bool = False) -> bytes:
    """The filter as BPF instructions (`struct sock_filter`: code, jump if true, jump if false, operand)."""
    refuse = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    allow = (_RETURN, 0, 0, _ALLOW)
    lines: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _AT_ARCH), (_JUMP_EQUAL, 1, 0, _ARCH_X86_64), (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _AT_NUMBER), (_JUMP_GREATER_EQUAL, 0, 1, _X32_BIT), (_RETURN, 0, 0, _KILL_PROCESS),
    ]  # fmt: skip
    if network:
        for number in REFUSED_WITH_NETWORK.values():
            lines += [(_JUMP_EQUAL, 0, 1, number), refuse]
        return _packed([*lines, allow])
    for number in ALLOWED.values():
        lines += [(_JUMP_EQUAL, 0, 1, number), allow]
    for number in (_MMAP, _MPROTECT):
        lines += [
            (_JUMP_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _argument(2)), (_JUMP_ANY_BIT, 0, 1, _PROT_EXEC), refuse, allow,
        ]  # fmt: skip
    # A process may lower its own limits (pid 0), and touch nobody else's.
    lines += [
        (_JUMP_EQUAL, 0, 5, _PRLIMIT64), (_LOAD, 0, 0, _argument(0)), (_JUMP_EQUAL, 0, 3, 0),
        (_LOAD, 0, 0, _argument(0, high=True)), (_JUMP_EQUAL, 0, 1, 0), allow, refuse,
    ]  # fmt: skip
    return _packed(lines)


def _packed(lines: list[tuple[int, int, int, int]]) -> bytes:
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def _prctl(*arguments: Any) -> None:
    padded = [*arguments, 0, 0, 0, 0][:5]
    if _LIBC.prctl(*[ctypes.c_ulong(value) if isinstance(value, int) else value for value in padded]) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def die_with_parent(signal_number: int, parent: int) -> None:
    """Ask for a signal when `parent` ends, and take it at once where it has. A change of user clears it: call again."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal_number)


def name_process(name: str) -> None:
    """What `ps` and `eco status` know it by: at most 15 characters, and never what a parent was called."""
    _prctl(_PR_SET_NAME, name.encode()[:15])


def lock(*, network: bool = False) -> None:
    """From here on this process has the allowed calls only; there is no way back. Raises OSError if refused."""
    instructions = program(network=network)
    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    filter_program = _Program(len(instructions) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filter_program))
