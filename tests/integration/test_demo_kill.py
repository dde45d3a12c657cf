"""demo --kill on a real broker: its books hold, and nothing of it stays behind, however it ends."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from services import eventually, free_port
from worker import BINARY, FAULTS_BINARY


def children(pid):
    """Pids of the processes that pid has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def topics_of_demos(kafka):
    return {t for t in kafka.admin().list_topics(timeout=10).topics if t.startswith("pointsman-demo-")}


@pytest.fixture
def demo(kafka, tmp_path):
    """Starts it with a temporary folder of its own."""
    started = []

    def start(*options, binary=BINARY, **more):
        command = [binary, "demo", "--kill", "--brokers", kafka.address, *options]
        env = {**os.environ, "TMPDIR": str(tmp_path), **more.pop("env", {})}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, **more)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("options", [[], ["--instance"]], ids=["dynamic", "static"])
def test_the_books_hold_and_nothing_stays(demo, kafka, tmp_path, options):
    before = topics_of_demos(kafka)
    process = demo("--records", "600", "--kills", "3", "--json", *options)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err + out
    books = json.loads(out)
    assert books["in"] == books["out"] == 600 and books["lost"] == books["twice"] == 0 and books["holds"]
    assert books["kills"] == 3 and books["instance"] == bool(options)
    assert 0 < books["longest_pause_ms"] and 0 <= books["repeated_calls"] < books["calls"]
    eventually(lambda: topics_of_demos(kafka) <= before, 30, "its topics deleted")
    assert list(tmp_path.iterdir()) == []


def test_books_that_do_not_hold_end_with_4(demo):
    """Workers with an intentional bug: they commit one batch too early, so what a kill interrupts is lost."""
    for _ in range(3):  # a kill may find nothing under way
        process = demo("--records", "1500", "--kills", "8", "--json", binary=FAULTS_BINARY, env={"POINTSMAN_BUG": "commit_early"})
        out, err = process.communicate(timeout=300)
        books = json.loads(out)
        if books["lost"] > 0:
            break
    assert books["lost"] > 0 and not books["holds"]
    assert process.returncode == 4, err + out


def test_kept_topics_are_named(demo, kafka):
    process = demo("--records", "20", "--kills", "0", "--keep")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err + out
    assert "the promise holds" in out and "longest pause ms" in out
    name = err.split("kept: topics ")[1].split(".")[0]
    kept = {t for t in topics_of_demos(kafka) if t.startswith(name + ".")}
    assert len(kept) == 5
    admin = kafka.admin()  # held: without its client the answer never comes
    for future in admin.delete_topics(sorted(kept)).values():
        future.result()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_child_outlives_it(demo, kafka, number):
    before = topics_of_demos(kafka)
    process = demo("--records", "5000", "--kills", "50")
    there = eventually(lambda: (c := children(process.pid)) and len(c) == 6 and c, 60, "three models and three workers")
    time.sleep(1)
    there = set(there) | set(children(process.pid))
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == (1 if number == signal.SIGINT else -signal.SIGKILL), err + out
    eventually(lambda: not any(is_alive(pid) for pid in there), 30, "all children ended")
    if number == signal.SIGINT:
        assert "ended by a signal" in err
        eventually(lambda: topics_of_demos(kafka) <= before, 30, "its topics deleted")


@pytest.mark.parametrize("named_by", ["option", "environment"])
def test_without_a_broker_it_says_how_to_get_one(named_by):
    nobody = f"127.0.0.1:{free_port()}"
    options = ["--brokers", nobody] if named_by == "option" else []
    env = {**os.environ, "KAFKA_BROKERS": nobody}
    done = subprocess.run([BINARY, "demo", "--kill", *options], capture_output=True, text=True, env=env, timeout=60)
    assert done.returncode == 1 and done.stdout == ""
    assert "tests/scripts/kafka.sh start" in done.stderr and "docker run" in done.stderr and "--brokers" in done.stderr
    assert nobody in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--kills", "2"], "goes with --kill"), (["--kill", "--serve"], "--serve"), (["--kill", "--records", "3", "--kills", "3"], "more than"), (["--kill", "--kills", "-1"], "--kills takes")],
)
def test_options_that_do_not_go_together(options, words):
    done = subprocess.run([BINARY, "demo", *options], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and words in done.stderr
