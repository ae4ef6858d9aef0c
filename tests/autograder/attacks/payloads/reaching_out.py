"""Reaching out: to listeners and processes that the test has started, and to nothing else."""

from payloads.payload import Payload, search

NETWORK = "a network namespace without any interface up"
ROOT = "a private root without the host's files"
POWERS = "no capabilities, no new privileges, and a last user namespace that is full"
PROCESSES = "process ids of its own"

PAYLOADS = [
    search(
        "a listener of the host is asked",
        NETWORK,
        "import socket\nlook(lambda: socket.create_connection(('127.0.0.1', PORT), timeout=2).recv(20))\n",
        bites=True,
    ),
    search(
        "a listener of the host is asked over HTTP",
        NETWORK,
        "import urllib.request\n"
        "look(lambda: urllib.request.urlopen('http://127.0.0.1:WEB_PORT/', timeout=2).read(20))\n",
        bites=True,
    ),
    search(
        "a listener of the host is asked over IPv6",
        NETWORK,
        "import socket\nlook(lambda: socket.create_connection(('::1', PORT6), timeout=2).recv(20))\n",
        bites=True,
    ),
    Payload(
        "a name is asked for in a datagram",
        NETWORK,
        """
import socket
query = b"\\x12\\x34\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x05hello\\x07example\\x00\\x00\\x01\\x00\\x01"
for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::ffff:127.0.0.1")):
    try:
        socket.socket(family, socket.SOCK_DGRAM).sendto(query, (address, UDP_PORT))
    except OSError:
        pass
""",
        bites=True,
    ),
    search(
        "an abstract socket of the host is asked",
        NETWORK,
        """
import socket
def ask():
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\\0" + ABSTRACT)
        return client.recv(20)
look(ask)
""",
        bites=True,
    ),
    search(
        "a socket in a folder of the host is asked",
        ROOT,
        """
import socket
def ask():
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(SOCKET)
        return client.recv(20)
look(ask)
""",
        bites=True,
    ),
    search(
        "the fork server's socket is looked for",
        ROOT,
        """
import glob, socket, sys
places = glob.glob("/tmp/autograder-*/socket") + [word for word in sys.argv if word.endswith("/socket")]
for place in places:
    look(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(place) or "connected")
""",
        bites=True,
    ),
    search(
        "ports of this machine are tried one after the other",
        NETWORK,
        """
import socket
def try_port(port):
    with socket.socket() as client:
        client.settimeout(0.2)
        return client.connect_ex(("127.0.0.1", port)) == 0
for port in (*range(PORT - 3, PORT + 4), 22, 80, 631, 2024, 5000, 8080, 8787, 8888):
    look(lambda: try_port(port))
""",
        bites=True,
    ),
    search(
        "interfaces are listed and brought up",
        NETWORK,
        """
import fcntl, socket, struct
usual = ("lo", "sit0", "tunl0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6gre0", "dummy0")
look(lambda: [name for _, name in socket.if_nameindex() if name not in usual])
def bring_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        return fcntl.ioctl(client, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
look(bring_up)
look(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
look(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
""",
    ),
    search(
        "sockets of other families are made",
        "no socket leaves the network namespace",
        """
import socket
for family in (40, 38, 29, 31, 16 + 28):  # virtual machine, kernel's ciphers, CAN, Bluetooth, XDP
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_RAW, socket.SOCK_DGRAM):
        look(lambda: socket.socket(family, kind).close() or f"family {family}")
""",
    ),
    search(
        "a process of the host is asked for by a signal",
        PROCESSES,
        "import os\nlook(lambda: os.kill(VICTIM, 0) or 'alive')\nlook(lambda: os.pidfd_open(VICTIM))\n",
        bites=True,
    ),
    search(
        "a process of the host is traced",
        PROCESSES,
        """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
look(lambda: libc.ptrace(0x4206, VICTIM, None, None) == 0)  # PTRACE_SEIZE, which stops nobody
""",
        bites=True,
    ),
    search(
        "priorities of a process of the host are changed",
        PROCESSES,
        """
import os
look(lambda: os.setpriority(os.PRIO_PROCESS, VICTIM, 5) or "changed")
look(lambda: os.sched_setaffinity(VICTIM, {0}) or "changed")
""",
        bites=True,
    ),
    Payload(
        "a file of the host is written",
        ROOT,
        """
try:
    open(PLANTED, "w").write("planted")
except OSError:
    pass
""",
        bites=True,
    ),
    search(
        "the gradebook is changed",
        ROOT,
        """
import os, sqlite3
def change():
    with sqlite3.connect(f"file:{GRADEBOOK}?mode=rw", uri=True) as book:
        return book.execute("update grades set score = 100").rowcount
look(change)
look(lambda: os.chmod(GRADEBOOK, 0o606) or os.stat(GRADEBOOK).st_mode & 0o777 == 0o606)
look(lambda: os.rename(GRADEBOOK, GRADEBOOK + ".old") or "changed")
""",
    ),
    Payload(
        "results and the cache are changed",
        ROOT,
        """
import os
for folder in (CACHE, OUT, SUBMITTED):
    for above, folders, files in os.walk(folder):
        for name in files:
            try:
                open(os.path.join(above, name), "a").write(" ")
            except OSError:
                pass
""",
    ),
    search(
        "files are written among the packages",
        "packages and programs are read-only",
        """
import sys, os
for folder in (sys.prefix, sys.prefix + "/bin", *sys.path, "/usr/bin", "/etc", "/", "/lib", "/proc/sys/kernel"):
    look(lambda: open(f"{folder}/attack-marker", "w") and os.remove(f"{folder}/attack-marker") or folder[-20:]
         if not folder.startswith(("/tmp", "/home")) else None)
""",
    ),
    search(
        "powers are asked for",
        POWERS,
        """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
NEW_USER, NEW_MOUNT = 0x10000000, 0x00020000
look(lambda: os.setuid(0) or "root")
look(lambda: os.setgid(0) or "root")
look(lambda: os.chroot("/tmp") or "chroot")
look(lambda: libc.unshare(NEW_USER) == 0)
look(lambda: libc.unshare(NEW_MOUNT) == 0)
look(lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0)
look(lambda: libc.umount2(b"/proc", 2) == 0)
look(lambda: libc.sethostname(b"mine", 4) == 0)
look(lambda: os.mknod("device", 0o60600, os.makedev(8, 0)) or "device")
look(lambda: libc.syscall(321, 0, None, 0) >= 0)  # bpf
look(lambda: libc.prctl(24, 21) == 1)  # PR_CAPBSET_READ of CAP_SYS_ADMIN
look(lambda: os.nice(-5) < 0)
look(lambda: libc.iopl(3) == 0)
""",
    ),
    search(
        "programs with set-user-id bits are run",
        POWERS,
        """
import os, shutil, subprocess
for name in ("su", "mount", "sudo", "passwd", "newgrp", "chsh", "pkexec"):
    path = shutil.which(name)
    if path and os.stat(path).st_mode & 0o4000:
        look(lambda: subprocess.run([path, "--help"], preexec_fn=None, capture_output=True) and
             b"uid=0" in subprocess.run([path, "-c", "id"], capture_output=True, stdin=subprocess.DEVNULL).stdout)
shutil.copy("/bin/sh", "shell")
os.chmod("shell", 0o4755)
look(lambda: b"\\n0" in subprocess.run(["./shell", "-c", "echo; id -u"], capture_output=True).stdout)
""",
    ),
    search(
        "the first folder is left upwards",
        ROOT,
        """
import os
top = os.open("/", os.O_RDONLY)
for number in range(30):
    os.chdir("..")
look(lambda: open(MARKER).read())
look(lambda: os.stat("/").st_ino != os.fstat(top).st_ino)
look(lambda: open(os.open("../../../../../.." + MARKER, os.O_RDONLY, dir_fd=top)).read())
os.chdir(os.path.expanduser("~"))
""",
    ),
]
