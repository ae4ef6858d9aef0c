"""Control flow: leaving, staying for ever, and hands in what runs above the cell."""

from payloads.payload import Payload

SALVAGE = "a process that ends is seen from outside, and what it had exported counts"
TREE = "one kill of the namespace's first process takes all"
CAUGHT = "the runner catches whatever a cell raises"
LIMIT = "CPU time is measured from outside"
PICTURE = "\nplt.imshow(np.eye(28))\nplt.show()\n"

PAYLOADS = [
    Payload(
        "a loop swallows every interruption and never gives the interpreter back",
        LIMIT,
        """
import itertools, signal
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
while True:
    try:
        sum(itertools.repeat(0))
    except BaseException:
        pass
""",
        ends=True,
    ),
    Payload(
        "the process stops itself",
        "waiting is seen as no progress of CPU time",
        """
import os, signal
os.kill(os.getpid(), signal.SIGSTOP)
""",
        ends=True,
    ),
    Payload("the process leaves", SALVAGE, "import os\nos._exit(0)\n", ends=True),
    Payload(
        "the process leaves as if it had done well, when it is looked at",
        SALVAGE,
        """
import os
class Exit:
    def __getattribute__(self, name):
        os._exit(0)
"""
        + "encoder = autoencoder = X_train = Exit()\n",
        ends=None,
    ),
    Payload("the process raises SystemExit", CAUGHT, "raise SystemExit(0)\n"),
    Payload("the process raises KeyboardInterrupt", CAUGHT, "raise KeyboardInterrupt\n"),
    Payload("the process raises GeneratorExit", CAUGHT, "raise GeneratorExit\n"),
    Payload(
        "an error raises when it is read",
        CAUGHT,
        """
class Nasty(Exception):
    def __str__(self):
        raise SystemExit(0)
    __repr__ = __str__
    @property
    def __traceback__(self):
        raise GeneratorExit
    @property
    def args(self):
        raise KeyboardInterrupt
raise Nasty
""",
    ),
    Payload(
        "exit handlers and finalisers wait for ever",
        "the child leaves without its handlers",
        """
import atexit, threading, time, weakref
class Last:
    def __del__(self):
        time.sleep(600)
kept, kept_too = Last(), Last()
kept_too.self = kept_too
atexit.register(time.sleep, 600)
weakref.finalize(kept, time.sleep, 600)
threading.Thread(target=time.sleep, args=(600,)).start()
threading._register_atexit(time.sleep, 600)
""",
    ),
    Payload(
        "a child is left behind",
        TREE,
        """
import ctypes, os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, LEFT.encode())  # its name
        time.sleep(60)
    os._exit(0)
""",
    ),
    Payload(
        "detached programs are left behind",
        TREE,
        """
import os, shutil, subprocess
shutil.copy("/bin/sleep", LEFT)
for number in range(3):
    subprocess.Popen(["/bin/sh", "-c", f"trap '' TERM INT HUP; ./{LEFT} 60 & exec ./{LEFT} 60"], start_new_session=True)
""",
    ),
    Payload(
        "a fork comes back from its cell",
        "only the process that was started speaks on the channel",
        """
import os
for number in range(3):
    os.fork()
""",
    ),
    Payload(
        "everybody is asked for by signal 0",
        "process ids of its own",
        """
import os
os.kill(os.getppid(), 0)
os.killpg(0, 0)
os.kill(1, 0)
""",
    ),
    Payload(
        "another program takes the place",
        SALVAGE,
        "import os\nos.execv('/bin/sh', ['sh', '-c', 'exit 0'])\n",
        ends=True,
    ),
    Payload("a wild pointer is followed", SALVAGE, "import ctypes\nctypes.string_at(0)\n", ends=True),
    Payload("the process kills itself", SALVAGE, "import os\nos.kill(os.getpid(), 9)\n", ends=True),
    Payload("the process aborts", SALVAGE, "import os\nos.abort()\n", ends=True),
    Payload(
        "the stack overflows",
        SALVAGE,
        """
import sys
sys.setrecursionlimit(10**9)
class Deep:
    def __eq__(self, other):
        return Deep() == other
Deep() == 1
""",
        ends=None,
    ),
    Payload(
        "an alarm goes off in the guest",
        "what fails in the runner ends the child alone",
        """
import signal
def ring(number, frame):
    raise SystemExit(0)
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
""",
        ends=None,
        by_chance=True,
    ),
    Payload(
        "a trace function raises in the guest",
        "what fails in the runner ends the child alone",
        """
import sys, threading
def trace(frame, event, argument):
    if "guest" in frame.f_code.co_filename:
        raise SystemExit(0)
    return trace
sys.settrace(trace)
sys.setprofile(trace)
threading.setprofile(trace)
""",
        ends=None,
    ),
    Payload(
        "an audit hook refuses everything",
        "what fails in the runner ends the child alone",
        """
import sys
def refuse(event, arguments):
    raise RuntimeError("no")
sys.addaudithook(refuse)
""",
        ends=None,
    ),
    Payload(
        "built-in functions are replaced",
        "built-in functions are put back when a cell ends",
        """
import builtins
builtins.isinstance = lambda *arguments: True
builtins.len = lambda item: 1_000_000
builtins.__import__ = lambda *arguments, **options: None
builtins.open = builtins.print = builtins.getattr = None
""",
        ends=None,
    ),
    Payload(
        "modules are taken away",
        "what fails in the runner ends the child alone",
        """
import sys
kept = dict(sys.modules)
for name in list(sys.modules):
    if name not in ("sys", "builtins", "__main__"):
        del sys.modules[name]
""",
        ends=None,
    ),
    Payload(
        "the process says that it is another one",
        "what fails in the runner ends the child alone",
        """
import os, time
os.getpid = lambda: 1
time.process_time = lambda: float("nan")
os._exit = lambda status: None
""",
        ends=None,
    ),
    Payload(
        "clocks give words and no numbers",
        LIMIT,
        """
import resource, time
time.process_time = lambda: "soon"
time.monotonic = time.time = lambda: -1e300
resource.getrusage = lambda who: None
""",
        ends=None,
    ),
    Payload(
        "a thread goes on when its cell has ended",
        "a cell is judged when it ends",
        """
import threading, time
def go_on():
    for number in range(200):
        globals().update(build_encoder=lambda dimension: None, encoder=None)
        time.sleep(0.01)
threading.Thread(target=go_on, daemon=True).start()
""",
    ),
    Payload(
        "finalisers and collection call back into the notebook",
        CAUGHT,
        """
import gc, sys
gc.callbacks.append(lambda phase, info: sys.exit(0))
gc.set_threshold(1)
sys.unraisablehook = lambda *arguments: sys.exit(0)
sys.excepthook = sys.displayhook = None
""",
    ),
    Payload(
        "the first process is told to end, to stop and to crash",
        "the first process of a namespace heeds nothing from within",
        """
import os, signal
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSTOP, signal.SIGSEGV, signal.SIGKILL):
    try:
        os.kill(os.getppid(), number)
    except OSError:
        pass
""",
    ),
    Payload(
        "the first process is left without memory, files and time",
        "what the kernel says of the first process is enough",
        """
import os, resource
for kind in ("AS", "DATA", "NOFILE", "CPU", "FSIZE", "STACK", "NPROC", "SIGPENDING"):
    try:
        resource.prlimit(os.getppid(), getattr(resource, f"RLIMIT_{kind}"), (0, 0))
    except (OSError, AttributeError):
        pass
try:
    os.sched_setscheduler(os.getppid(), os.SCHED_IDLE, os.sched_param(0))
except OSError:
    pass
os._exit(3)
""",
        ends=True,
    ),
    Payload(
        "definitions end the process, in every run",
        SALVAGE,
        """
import os
class Last:
    os._exit(0)
""",
        ends=True,
    ),
    Payload(
        "another cell is blamed for the end",
        SALVAGE,
        """
import gc, os
channel = next(item for item in gc.get_objects() if type(item).__name__ == "Channel" and hasattr(item, "record"))
channel.send({"event": "start", "index": 5})
os._exit(0)
""",
        ends=True,
    ),
]
