"""Whoever dies, and by whatever signal: nothing that a kept command has started is left. Needs no services."""

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from services import ROOT, eventually

KEEPER = ROOT / "tests/scripts/keeper.py"
# A child, one that has detached itself and whose parent is gone, as brokers do, one that hears no signal, and one that is stopped.
COMMAND = """
sleep 300 &
setsid sh -c 'sleep 300 & exec sleep 300' &
sh -c 'setsid setsid sleep 300 & exit 0'
sh -c 'trap "" INT TERM HUP; sleep 300; sleep 300' &
sleep 300 & kill -STOP $!
echo started
wait
"""


def processes(mark):
    """{pid: words} of all that have the mark in their environment."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"MARK={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:  # ended meanwhile, or another's
            pass
    return found


@pytest.fixture
def caller():
    """A shell that runs a kept command, as the scripts do; its mark."""
    mark = uuid.uuid4().hex
    words = ["sh", "-c", '"$@" & wait', "sh", sys.executable, str(KEEPER), "sh", "-c", COMMAND]
    process = subprocess.Popen(words, env={**os.environ, "MARK": mark}, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout.readline() == "started\n"
    yield process, mark
    for pid in processes(mark):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def keepers(mark):
    """(the outer one, the inner one)"""
    them = [pid for pid, words in processes(mark).items() if str(KEEPER).encode() in words[:2]]
    assert len(them) == 2
    inner = next(pid for pid in them if os.getsid(pid) == pid)
    return next(pid for pid in them if pid != inner), inner


def victim(name, process, mark):
    outer, inner = keepers(mark)
    if name == "the command":
        return next(pid for pid in processes(mark) if parent(pid) == inner and os.getsid(pid) == inner and b"-c" in processes(mark)[pid])
    return {"the caller": process.pid, "the outer keeper": outer, "the inner keeper": inner}[name]


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


ENDS = [(who, number) for who in ("the outer keeper", "the inner keeper") for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)]
ENDS += [(who, number) for who in ("the caller", "the command") for number in (signal.SIGKILL, signal.SIGTERM)]


@pytest.mark.parametrize("who, number", ENDS, ids=lambda it: getattr(it, "name", it))
def test_nothing_is_left_when_one_of_them_ends(caller, who, number):
    process, mark = caller
    eventually(lambda: len(processes(mark)) >= 9, 30, "all run")
    os.kill(victim(who, process, mark), number)
    eventually(lambda: not processes(mark), 60, "all are gone")


def test_nothing_is_left_when_the_whole_process_group_is_killed(caller):
    process, mark = caller
    os.killpg(process.pid, signal.SIGKILL)
    eventually(lambda: not processes(mark), 60, "all are gone")


@pytest.mark.parametrize("command, code", [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("setsid sleep 300 & exit 3", 3)])
def test_the_exit_code_is_the_commands(command, code):
    assert subprocess.run([sys.executable, KEEPER, "sh", "-c", command]).returncode == code


def test_who_is_asked_again_and_again_ends_once_and_in_order():
    command = [sys.executable, KEEPER, "sh", "-c", COMMAND]
    mark = uuid.uuid4().hex
    with subprocess.Popen(command, env={**os.environ, "MARK": mark}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as kept:
        assert kept.stdout.readline() == "started\n"
        while kept.poll() is None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                kept.send_signal(number)
        assert (kept.returncode, kept.stderr.read()) == (130, "")
    assert not processes(mark)
