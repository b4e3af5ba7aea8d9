"""System call filters, compiled by libseccomp (through ``pyseccomp``) into programs for the kernel."""

from __future__ import annotations

import errno
import functools
import os
import tempfile
from typing import Any

_NEW_NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
_CLONE_THREAD = 0x00010000
_TERMINAL_TRICKS = (0x5412, 0x541C)
_DEVICES = (0o020000, 0o060000)
_KIND = 0o170000

_ALWAYS = """
unshare setns clone3
mount umount umount2 pivot_root chroot move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick mount_setattr
ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_getfd
bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register
keyctl add_key request_key
kexec_load kexec_file_load init_module finit_module delete_module create_module query_module get_kernel_syms
open_by_handle_at name_to_handle_at fanotify_init lookup_dcookie
personality swapon swapoff reboot acct quotactl quotactl_fd uselib nfsservctl vhangup
settimeofday stime clock_settime clock_settime64 clock_adjtime clock_adjtime64 adjtimex syslog sethostname setdomainname
iopl ioperm modify_ldt vm86 vm86old move_pages migrate_pages mbind set_mempolicy set_mempolicy_home_node
memfd_secret
"""
_FUNCTIONS = """
fork vfork execve execveat socket
memfd_create shmget shmat shmctl msgget msgsnd msgctl semget semop semctl semtimedop mq_open mq_unlink
mknod mknodat pidfd_open pidfd_send_signal
setpriority ioprio_set sched_setaffinity sched_setscheduler sched_setparam sched_setattr
mlock mlock2 mlockall inotify_init inotify_init1 setrlimit seccomp
"""


@functools.cache
def program(*, functions: bool) -> bytes:
    """A filter as the kernel's instructions.

    Without ``functions``: what no sandboxed program may do (namespaces, mounts, tracing, keys, modules, the clock,
    devices). With it: what a called function may not do either (processes, programs, sockets, shared memory that
    outlives it, the priority and limits of others). Programs of another architecture than the kernel's are killed.

    Raises:
        ImportError: ``pyseccomp`` is not installed. RuntimeError: there is no libseccomp.
    """
    import pyseccomp

    made = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in (_ALWAYS + _FUNCTIONS if functions else _ALWAYS).split():
        _deny(made, name, code=errno.ENOSYS if name == "clone3" else errno.EPERM)
    arg = pyseccomp.Arg
    for flag in _NEW_NAMESPACES:
        _deny(made, "clone", arg(0, pyseccomp.MASKED_EQ, flag, flag))
    for request in _TERMINAL_TRICKS:
        _deny(made, "ioctl", arg(1, pyseccomp.MASKED_EQ, 0xFFFFFFFF, request))
    if functions:
        _deny(made, "clone", arg(0, pyseccomp.MASKED_EQ, _CLONE_THREAD, 0))
        _deny(made, "prlimit64", arg(0, pyseccomp.NE, 0))
        return _exported(made)
    for device in _DEVICES:
        _deny(made, "mknod", arg(1, pyseccomp.MASKED_EQ, _KIND, device))
        _deny(made, "mknodat", arg(2, pyseccomp.MASKED_EQ, _KIND, device))
    return _exported(made)


def _deny(made: Any, name: str, *arguments: Any, code: int = errno.EPERM) -> None:
    """Refuse a call; one that this architecture does not have is left out."""
    import pyseccomp

    number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
    if number >= 0:
        made.add_rule(pyseccomp.ERRNO(code), number, *arguments)


def _exported(made: Any) -> bytes:
    with tempfile.TemporaryFile() as file:
        made.export_bpf(file)
        file.seek(0, os.SEEK_SET)
        return file.read()
