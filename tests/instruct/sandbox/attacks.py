"""Attacks on the machine that runs a program, and the world they attack.

    python -m tests.instruct.sandbox.attacks

runs each as the current user, bare where that is harmless and in the sandbox, and prints what came of it as JSON. An
attack prints TRIED when it starts and BROKEN where it succeeded; some are seen from outside only.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from instruct.sandbox import Limits, ProjectRun, Sandbox, Script, run_project
from instruct.sandbox.interpreter import interpreter
from instruct.sandbox.launch import Mounts

STRICT = Limits(wall_s=0.5, cpu_s=2, memory_mb=256, disk_mb=8)
LOOSE = Limits(wall_s=0.5, cpu_s=2, memory_mb=256, disk_mb=8, processes=8)
SECRET = "THRESHER_TEST_SECRET"
LIBC = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\nlibc.syscall.restype = ctypes.c_long\n"
NAMED = LIBC + "libc.prctl(15, b'@MARK@', 0, 0, 0)\n"


@dataclass(frozen=True)
class Attack:
    """Code; how it may end in the sandbox; whether it is tried bare; with processes; as a command of a project."""

    code: str
    problems: tuple[str, ...] = ("", "exception")
    bare: bool = True
    loose: bool = False
    project: bool = False


ATTACKS = {
    "infinite_loop": Attack("while True: pass", ("timeout",)),
    "endless_sleep": Attack("import time; time.sleep(1000)", ("timeout",)),
    "bigint_stall": Attack("x = 7 ** (10 ** 8); print('BROKEN')", ("timeout",)),
    "regex_stall": Attack("import re; re.match(r'(a+)+$', 'a' * 64 + 'b'); print('BROKEN')", ("timeout",)),
    "ignored_signals": Attack(
        "import signal\nfor s in (1, 2, 3, 14, 15, 24): signal.signal(s, signal.SIG_IGN)\nwhile True: pass",
        ("timeout",),
    ),
    "fork": Attack(
        "import os, time\nfor n in range(5):\n    if os.fork() == 0: time.sleep(0.3); os._exit(0)\nprint('BROKEN')"
    ),
    "fork_bomb": Attack(
        NAMED + "import time\nwhile True:\n    try: os.fork()\n    except OSError: time.sleep(0.01)",
        ("timeout",), bare=False, loose=True,
    ),
    "thread_bomb": Attack(
        "import threading, time\nfor n in range(500):\n"
        "    threading.Thread(target=time.sleep, args=(1,), daemon=True).start()\n"
        "print('BROKEN')",
    ),
    "new_program": Attack("import os; os.execv(@PYTHON@, ['python', '-c', 'print(\"BROKEN\")'])"),
    "allocation_3_gb": Attack("b = bytearray(3 << 30); print('BROKEN')", ("memory",)),
    "mapping_3_gb": Attack("import mmap; m = mmap.mmap(-1, 3 << 30); print('BROKEN')"),
    "memory_files": Attack(
        "import os\nfor n in range(40): os.write(os.memfd_create('m'), b'x' * (1 << 22))\nprint('BROKEN')"
    ),
    "output_flood": Attack("for n in range(100000): print('x' * 100)\nprint('BROKEN')", ("output",)),
    "error_flood": Attack("import sys\nwhile True: sys.stderr.write('x' * 1000)", ("output",)),
    "disk_fill_one_file": Attack(
        "import tempfile\nf = tempfile.TemporaryFile()\nfor n in range(64): f.write(b'x' * (1 << 20))\nprint('BROKEN')"
    ),
    "disk_fill_many_files": Attack(
        "import tempfile\nd = tempfile.TemporaryDirectory()\n"
        "for n in range(64): open(f'{d.name}/{n}', 'wb').write(b'x' * (1 << 20))\nprint('BROKEN')"
    ),
    "write_host_file": Attack("open('@DIR@/written', 'w').write('x'); print('BROKEN')"),
    "overwrite_host_file": Attack("open('@DIR@/precious', 'w').write('x'); print('BROKEN')"),
    "delete_host_file": Attack("import os; os.remove('@DIR@/precious'); print('BROKEN')"),
    "write_library": Attack("import os; open(os.__file__, 'r+b'); print('BROKEN')", bare=False),
    "write_anywhere": Attack(
        "import os, sys\nfor path in ('/', '/dev', '/usr', '/lib', '/thresher', sys.base_prefix):\n"
        "    try: os.mkdir(path + '/new')\n    except OSError: continue\n    print('BROKEN')",
        bare=False,
    ),
    "read_passwd": Attack("print(open('/etc/passwd').read()); print('BROKEN')"),
    "read_host_file": Attack("print(open('@DIR@/secret').read())"),
    "secret_in_environment": Attack("import os; print(os.environ)"),
    "secret_in_proc": Attack(
        "import glob\nfor path in glob.glob('/proc/*/environ'):\n    try: print(open(path).read())\n"
        "    except OSError: pass"
    ),
    "tcp_to_loopback": Attack(
        "import socket; s = socket.create_connection(('127.0.0.1', @PORT@), 1); s.send(b'x'); print('BROKEN')"
    ),
    "abstract_socket": Attack(
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('\\0@ABSTRACT@'); print('BROKEN')"
    ),
    "netlink": Attack("import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); print('BROKEN')"),
    "kill_host_process": Attack("import os; os.kill(@VICTIM@, 9); print('BROKEN')"),
    "kill_everything": Attack("import os; os.kill(-1, 9); os.kill(1, 9)", ("", "died", "exception"), bare=False),
    "stop_the_server": Attack("import os; os.kill(1, 19); os.kill(1, 9); os.kill(1, 11); print('done')", bare=False),
    "limits_of_the_server": Attack(
        "import resource; resource.prlimit(1, resource.RLIMIT_NOFILE, (3, 3)); print('BROKEN')", bare=False
    ),
    "ptrace_host_process": Attack(LIBC + "if libc.ptrace(16, @VICTIM@, 0, 0) == 0: print('BROKEN')", bare=False),
    "ptrace_the_server": Attack(LIBC + "if libc.ptrace(16, 1, 0, 0) == 0: print('BROKEN')", bare=False, loose=True),
    "read_other_memory": Attack(
        LIBC + "b = ctypes.create_string_buffer(8)\nclass V(ctypes.Structure): _fields_ = [('b', ctypes.c_void_p), "
        "('n', ctypes.c_size_t)]\nmine = V(ctypes.addressof(b), 8); theirs = V(id(b), 8)\n"
        "if libc.process_vm_readv(@PARENT@, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0) != -1 "
        "or ctypes.get_errno() != 1: print('BROKEN')",
        bare=False,
    ),
    "inherited_descriptors": Attack(
        "import os\nfor fd in range(3, 300):\n    try: print(os.pread(fd, 100, 0))\n    except OSError: pass"
    ),
    "daemon": Attack(
        NAMED + "import time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        for fd in range(3): os.close(fd)\n        time.sleep(5)\n    os._exit(0)\ntime.sleep(0.1)",
        loose=True,
    ),
    "user_namespace": Attack(LIBC + "if libc.unshare(0x10000000) == 0: print('BROKEN')"),
    "user_namespace_with_processes": Attack(LIBC + "if libc.unshare(0x10000000) == 0: print('BROKEN')", loose=True),
    "namespace_by_clone": Attack(
        LIBC + "pid = libc.syscall(@CLONE@, 0x10000011, 0, 0, 0, 0)\nif pid == 0: os._exit(0)\n"
        "if pid > 0: print('BROKEN')",
        loose=True,
    ),
    "namespace_by_clone3": Attack(
        LIBC + "a = (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)\npid = libc.syscall(435, a, 88)\n"
        "if pid == 0: os._exit(0)\nif pid > 0: print('BROKEN')",
        loose=True,
    ),
    "mount": Attack(LIBC + "if libc.mount(b'none', b'/tmp', b'tmpfs', 0, 0) == 0: print('BROKEN')", bare=False),
    "device_node": Attack(
        "import os, stat; os.mknod('/tmp/memory', stat.S_IFCHR | 0o600, os.makedev(1, 1)); print('BROKEN')",
        bare=False, loose=True,
    ),
    "host_devices": Attack(
        "import os\nfor name in ('mem', 'kmsg', 'vda', 'sda', 'nvme0n1', 'fuse', 'kvm', 'tty', 'ptmx', 'shm'):\n"
        "    if os.path.exists('/dev/' + name): print('BROKEN', name)",
        bare=False,
    ),
    "become_root": Attack("import os\nos.setuid(0)\nprint('BROKEN')", bare=False),
    "keyring": Attack(LIBC + "if libc.syscall(@ADD_KEY@, b'user', b'@MARK@', b'x', 1, -3) > 0: print('BROKEN')"),
    "io_uring": Attack(
        LIBC + "if libc.syscall(425, 1, ctypes.create_string_buffer(120)) != -1: print('BROKEN')", bare=False
    ),
    "bpf": Attack(LIBC + "if libc.syscall(@BPF@, 0, ctypes.create_string_buffer(128), 128) != -1 or "
                  "ctypes.get_errno() != 1: print('BROKEN')", bare=False),
    "project_environment": Attack(
        "import glob\nfor path in glob.glob('/proc/*/environ'):\n    try: print(open(path).read())\n"
        "    except OSError: pass",
        project=True,
    ),
    "project_server_memory": Attack("open('/proc/1/mem', 'rb'); print('BROKEN')", bare=False, project=True),
    "project_system_settings": Attack(
        "open('/proc/sys/kernel/hostname', 'w'); print('BROKEN')", bare=False, project=True
    ),
    "project_network": Attack(
        "import socket; socket.create_connection(('127.0.0.1', @PORT@), 1); print('BROKEN')", project=True
    ),
    "project_linked_output": Attack(
        "import os\nos.symlink('@DIR@/secret', 'out')\nos.symlink('/dev/zero', 'zero')\nos.mkfifo('pipe')",
        bare=False, project=True,
    ),
    "project_linked_tree": Attack("print(open('linked').read())", bare=False, project=True),
}  # fmt: skip


class World:
    """What is attacked: files, a listener, an abstract socket, a process, a secret in environment and descriptors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secret = os.environ[SECRET] = secrets.token_hex(16)
        self.mark = f"mark{secrets.token_hex(4)}"
        (folder / "precious").write_text("precious")
        (folder / "secret").write_text(self.secret)
        (folder / "tree").mkdir()
        (folder / "tree" / "linked").symlink_to(folder / "secret")
        self.connected = 0
        self.inherited = os.open(folder / "secret", os.O_RDONLY)
        os.set_inheritable(self.inherited, True)
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind(f"\0{self.mark}")
        self.abstract.listen()
        for listener in (self.tcp, self.abstract):
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        self.victim = self._victim()

    def _victim(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(120)"])

    def _accept(self, listener: socket.socket) -> None:
        while True:
            listener.accept()[0].close()
            self.connected += 1

    def filled(self, code: str) -> str:
        """The code with the world's names."""
        x86 = os.uname().machine == "x86_64"
        names = {
            "@DIR@": str(self.folder), "@PORT@": str(self.tcp.getsockname()[1]), "@ABSTRACT@": self.mark,
            "@MARK@": self.mark,
            "@VICTIM@": str(self.victim.pid), "@PYTHON@": repr(os.path.realpath(sys.executable)),
            "@PARENT@": str(os.getpid()), "@CLONE@": "56" if x86 else "220", "@ADD_KEY@": "248" if x86 else "217",
            "@BPF@": "321" if x86 else "280",
        }  # fmt: skip
        for name, value in names.items():
            code = code.replace(name, value)
        return f"print('TRIED', flush=True)\n{code}\n"

    def harm(self) -> list[str]:
        """What was done to the world since it was last looked at; it is mended."""
        time.sleep(0.01)
        found = []
        if (self.folder / "written").exists():
            found.append("a file was written")
        if not (self.folder / "precious").exists() or (self.folder / "precious").read_text() != "precious":
            found.append("a file was changed")
        if self.victim.poll() is not None:
            found.append("a process was killed")
            self.victim = self._victim()
        if self.connected:
            found.append("a connection was made")
        left = _named(self.mark)
        if left:
            found.append("processes are left")
        for pid in left:
            os.kill(pid, 9)
        self.connected = 0
        (self.folder / "written").unlink(missing_ok=True)
        (self.folder / "precious").write_text("precious")
        return found

    def close(self) -> None:
        """End what was started."""
        self.victim.kill()
        self.victim.wait()


def _named(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdecimal() or (entry / "comm").read_text().strip() != mark:
                continue
            if (entry / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def bare(world: World, attack: Attack) -> bool:
    """Whether the attack works without a sandbox: its word, a secret in its output, no end, or harm that is seen."""
    try:
        ended = subprocess.run(
            [sys.executable, "-S", "-c", world.filled(attack.code)],
            check=False,
            capture_output=True,
            timeout=0.4,
            close_fds=False,
        )
        told = ended.stdout.decode(errors="replace")
        said = "BROKEN" in told or world.secret in told
    except subprocess.TimeoutExpired:
        said = True
    return bool(world.harm()) or said


def first_word() -> str:
    """The program that starts a sandbox here: bubblewrap, or what root becomes somebody else by."""
    return Path(Mounts(interpreter()).command([], seccomp=0)[0]).name


def main() -> None:
    """Run everything and print the results."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        os.chmod(folder, 0o755)
        results: dict[str, dict[str, object]] = {"_uid": {"uid": os.getuid(), "first": first_word()}}
        for name, attack in ATTACKS.items():
            results[name] = {"bare": bare(world, attack) if attack.bare else None}
        with Sandbox(limits=STRICT, workers=1) as strict, Sandbox(limits=LOOSE, workers=1) as loose:
            for name, attack in ATTACKS.items():
                began = time.monotonic()
                if attack.project:
                    results[name] |= _project(world, attack)
                else:
                    [ran] = (loose if attack.loose else strict).run([Script(world.filled(attack.code))])
                    results[name] |= {
                        "out": ran.stdout[:2000],
                        "error": ran.stderr[-500:],
                        "problem": ran.problem,
                    }
                results[name] |= {"harm": world.harm(), "seconds": time.monotonic() - began}
                [after] = (loose if attack.loose else strict).run([Script("print(1)")])
                results[name]["after"] = after.stdout
        results["_uid"]["secret"] = world.secret
        world.close()
        print(json.dumps(results))


def _project(world: World, attack: Attack) -> dict[str, object]:
    command = ("python", "-c", world.filled(attack.code))
    run = ProjectRun(world.folder / "tree", (command,), collect=("out", "zero", "pipe", "linked"))
    result = run_project(run, Limits(wall_s=2, memory_mb=256, disk_mb=8, processes=8))
    told = result.finished[0] if result.finished else None
    return {
        "out": (told.stdout if told else "") + repr(dict(result.files)),
        "error": (told.stderr if told else "")[-500:] + result.problem,
        "problem": told.problem if told else "none",
    }


if __name__ == "__main__":
    main()
