"""keeper.py COMMAND...: runs the command, and sees to it that nothing it has started outlives it, or outlives whoever started this.

A test starts brokers, workers and models; some of them detach themselves, and whoever started the test may be killed at any moment.
So there are two processes between the caller and the command, and both are reapers (PR_SET_CHILD_SUBREAPER): a descendant whose
parent dies becomes a child of the nearer one, so it can always be found. The outer one is in the caller's process group and passes
on what ends it; the inner one has a session of its own, which a Ctrl-C or a kill of the group does not reach. Each gets a signal when
its parent dies. Whichever of caller, keepers and command dies, by whatever signal, one keeper is left that kills the rest. Only what
kills both keepers at once leaves something behind.

SIGINT and SIGTERM end it: the command is asked by SIGINT, once, and has a few seconds to say where it was. The exit code is the
command's, or 130.
"""

import ctypes
import os
import signal
import sys
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
GRACE_S, INTERRUPTED = 5, 130
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Asked(Exception):
    """It is to end."""


class Once:
    """A handler: the first signal raises Asked, unless it is over; who is ending already needs no second."""

    over = False

    def __call__(self, number, frame):
        if not self.over:
            self.over = True
            raise Asked


def listen(handler):
    for number in ENDING:
        signal.signal(number, handler)


def keep_watch(parent):
    """Orphans come to this process; it is told when its parent dies."""
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((PR_SET_CHILD_SUBREAPER, 1), (PR_SET_PDEATHSIG, signal.SIGTERM)):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it died before this could be asked for
        raise Asked


def descendants():
    children, found = {}, []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    children.setdefault(int(stat.read().rpartition(")")[2].split()[1]), []).append(int(entry))
            except OSError:
                pass  # it has just ended
    todo = [os.getpid()]
    while todo:
        of = children.get(todo.pop(), [])
        found += of
        todo += of
    return found


def end_descendants():
    while left := descendants():
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
        reap_what_ended()


def reap_what_ended():
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def wait_for(child):
    """Its exit code; others are reaped meanwhile."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def ask_to_end(child, number):
    """It has a few seconds; what is left then is killed."""
    end = time.monotonic() + GRACE_S
    try:
        os.kill(child, number)
        while os.waitpid(child, os.WNOHANG)[0] == 0 and time.monotonic() < end:
            time.sleep(0.05)
    except (ProcessLookupError, ChildProcessError):
        pass  # it had just ended, and was waited for


def watch(parent, start, number):
    """start() -> the child, which is asked to end by that signal. The exit code, when no descendant is left."""
    child, once = None, Once()
    try:
        listen(once)
        keep_watch(parent)
        child = start()
        code = wait_for(child)
        once.over = True
    except Asked:
        once.over = True  # keep_watch may have asked, not a signal
        code = INTERRUPTED
        if child is not None:
            ask_to_end(child, number)
    end_descendants()
    return code


def start_command():
    child = os.fork()
    if child == 0:
        listen(signal.SIG_DFL)
        try:
            os.execvp(sys.argv[1], sys.argv[1:])
        except OSError as error:
            print(f"keeper.py: {sys.argv[1]}: {error.strerror}", file=sys.stderr)
            os._exit(127)
    return child


def start_inner():
    outer = os.getpid()
    child = os.fork()
    if child == 0:
        os.setsid()
        os._exit(watch(outer, start_command, signal.SIGINT))
    return child


if __name__ == "__main__":
    os._exit(watch(os.getppid(), start_inner, signal.SIGTERM))  # sys.exit would let signals kill while Python ends
