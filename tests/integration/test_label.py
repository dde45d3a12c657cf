"""`pointsman label` on a real terminal: keys, the way back, where it goes on, and the terminal as it was. No services."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from services import ROOT

BINARY = str(os.environ.get("POINTSMAN_BIN", ROOT / "build/pointsman"))
PATIENCE_S = 30


class Person:
    """A process on a terminal of its own, and somebody who types."""

    def __init__(self, *arguments, columns=80, lines=24, cwd=None):
        self.seen = b""
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [BINARY, *map(str, arguments)],
            stdin=self.slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.seen += os.read(self.master, 65536)
            return True
        return False

    def sees(self, words):
        """Waits for words on the screen that is drawn now or next."""
        end = time.monotonic() + PATIENCE_S
        while words.encode() not in self.screen():
            if not self.read(0.2) and (self.process.poll() is not None or time.monotonic() > end):
                raise AssertionError(f"no {words!r} in {self.screen()!r}; {self.process.poll()}")
        return self

    def screen(self):
        return self.seen.rsplit(b"\x1b[H\x1b[2J", 1)[-1]

    def types(self, keys):
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)
        return self

    def ends(self):
        end = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.1)
        while self.read(0.1):
            pass
        self.out, self.err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode

    def terminal_is_as_it_was(self):
        assert termios.tcgetattr(self.slave) == self.before
        assert self.seen.count(b"\x1b[?1049h") == self.seen.count(b"\x1b[?1049l")
        assert self.seen.rstrip().endswith(b"\x1b[?2004l\x1b[?25h\x1b[?1049l")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def person():
    people = []

    def begin(*arguments, **more):
        people.append(Person(*arguments, **more))
        return people[-1]

    yield begin
    for one in people:
        one.close()


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    texts = ["the card is lost", "what is the rate", "sing a song", "my pin is blocked", "a last one"]
    path.write_text("".join(json.dumps({"text": t, "product": f"P{i}", "label": "secret"}) + "\n" for i, t in enumerate(texts)))
    return path


LABELS = ("--labels", "card,rate,pin_help")


def test_a_key_a_row_and_the_rows_keep_what_they_had(rows, tmp_path, person):
    out = tmp_path / "out.jsonl"
    p = person("label", rows, *LABELS, "-o", out)
    p.sees("row 1 of 5").sees("the card is lost").sees("pin_help")
    assert b"secret" not in p.seen
    p.types("c").sees("row 2 of 5").types("r").sees("row 3 of 5").types("0").sees("row 4 of 5").types("p").sees("row 5 of 5").types("c")
    assert p.ends() == 0, p.err
    p.terminal_is_as_it_was()
    written = rows_of(out)
    assert [row["label"] for row in written] == ["card", "rate", None, "pin_help", "card"]
    assert [row["product"] for row in written] == ["P0", "P1", "P2", "P3", "P4"]
    assert written[0]["text"] == "the card is lost" and "5 of 5 rows are labelled" in p.out
    assert person("label", rows, *LABELS, "-o", out).ends() == 0  # nothing is left, nothing is asked
    assert rows_of(out) == written


def test_back_takes_an_answer_away_and_skipped_rows_come_again(rows, tmp_path, person):
    out = tmp_path / "out.jsonl"
    p = person("label", rows, *LABELS, "-o", out)
    p.sees("row 1 of 5").types("-").sees("this is the first row").types("c").sees("row 2 of 5").types("x").sees("no label has that key")
    p.types(" ").sees("row 3 of 5").types("r").sees("row 4 of 5").types("\x7f").sees("row 3 of 5").sees("taken away")
    assert len(rows_of(out)) == 1
    p.types("\x7f").sees("row 2 of 5").types("\x7f").sees("row 1 of 5")
    assert out.read_text() == ""
    p.types("p").sees("row 2 of 5").types(" ").sees("row 3 of 5").types("\x04")
    assert p.ends() == 0
    p.terminal_is_as_it_was()
    assert [row["label"] for row in rows_of(out)] == ["pin_help"]
    again = person("label", rows, *LABELS, "-o", out, "--json")
    again.sees("row 2 of 5").types("r").sees("row 3 of 5").types("\x7f").sees("row 2 of 5").types("\x7f").sees("row 1 of 5")  # and into the run before
    again.types("c").sees("row 2 of 5").types("\x03")
    assert again.ends() == 0
    assert json.loads(again.out) == {"rows": 5, "labelled": 1, "skipped": 0, "left": 4, "bad_rows": 0, "answers_to_other_rows": 0}
    assert [row["label"] for row in rows_of(out)] == ["card"]


def test_it_goes_on_where_it_stopped_when_the_rows_are_others_by_now(rows, tmp_path, person):
    out = tmp_path / "out.jsonl"
    p = person("label", rows, *LABELS, "-o", out)
    p.sees("row 1 of 5").types("c").sees("row 2 of 5").types("r").sees("row 3 of 5").types("\x03")
    assert p.ends() == 0
    lines = rows.read_text().splitlines()
    rows.write_text("\n".join(['{"text": "a new one"}', lines[1], lines[3], lines[1]]) + "\n")  # the rate twice, the card gone
    again = person("label", rows, *LABELS, "-o", out)
    again.sees("row 1 of 4").sees("a new one").types("p").sees("row 3 of 4").types("p").sees("row 4 of 4").types("r")
    assert again.ends() == 0
    assert [row["text"] for row in rows_of(out)] == ["the card is lost", "what is the rate", "a new one", "my pin is blocked", "what is the rate"]
    assert "4 of 4 rows are labelled" in again.out and "1 of other data" in again.out


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 1), (signal.SIGHUP, 1), (signal.SIGQUIT, 1), (signal.SIGINT, 0)])
def test_a_signal_ends_it_with_all_answers_and_the_terminal_as_it_was(rows, tmp_path, person, number, code):
    out = tmp_path / "out.jsonl"
    p = person("label", rows, *LABELS, "-o", out)
    p.sees("row 1 of 5").types("c").sees("row 2 of 5")
    p.process.send_signal(number)
    assert p.ends() == code
    p.terminal_is_as_it_was()
    assert [row["label"] for row in rows_of(out)] == ["card"]


def test_stopped_by_ctrl_z_the_terminal_is_as_it_was_and_it_goes_on(rows, tmp_path, person):
    p = person("label", rows, *LABELS, "-o", tmp_path / "out.jsonl")
    p.sees("row 1 of 5").types("\x1a")
    assert os.WIFSTOPPED(os.waitpid(p.process.pid, os.WUNTRACED)[1])
    while p.read(0.2):
        pass
    p.terminal_is_as_it_was()
    p.seen = b""
    p.process.send_signal(signal.SIGCONT)
    p.sees("row 1 of 5").types("c").sees("row 2 of 5").types("\x04")
    assert p.ends() == 0


def test_killed_it_has_lost_nothing_and_a_half_line_is_cut_off(rows, tmp_path, person):
    out = tmp_path / "out.jsonl"
    p = person("label", rows, *LABELS, "-o", out)
    p.sees("row 1 of 5").types("c").sees("row 2 of 5").types("r").sees("row 3 of 5")
    p.process.kill()
    p.process.wait()
    assert [row["label"] for row in rows_of(out)] == ["card", "rate"]
    with open(out, "a") as torn:
        torn.write('{"id":"3","text":"sing')
    again = person("label", rows, *LABELS, "-o", out)
    again.sees("row 3 of 5").types("p").sees("row 4 of 5").types("\x04")
    assert again.ends() == 0
    assert "cut off" in again.err
    assert [row["label"] for row in rows_of(out)] == ["card", "rate", "pin_help"]


def test_hostile_texts_are_shown_and_obeyed_by_nobody(tmp_path, person):
    rows = tmp_path / "rows.jsonl"
    hostile = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnihton\r\x00 end"
    rows.write_text(json.dumps({"text": hostile, "a": "\x1b[5m"}) + "\n")
    p = person("label", rows, "--labels", "x,y", "-o", tmp_path / "out.jsonl", "--show", "a")
    p.sees("row 1 of 1").sees("<U+001B>[2J").sees("<U+202E>").sees("<U+0000>").sees("a: <U+001B>[5m")
    own = p.seen
    for ours in (b"\x1b[?1049h", b"\x1b[?25l", b"\x1b[?2004h", b"\x1b[H", b"\x1b[2J", b"\x1b[1m", b"\x1b[0m", b"\r\n"):
        own = own.replace(ours, b"")
    assert not any(c < 0x20 or c == 0x7F for c in own), own
    assert "\x9b" not in own.decode() and "\u202e" not in own.decode()
    p.types("x")
    assert p.ends() == 0
    assert rows_of(tmp_path / "out.jsonl")[0]["text"] == hostile


def test_long_texts_are_paged_and_a_smaller_window_is_drawn_anew(tmp_path, person):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"text": "\n".join(f"line {i} " + "word " * 10 for i in range(200))}) + "\n")
    p = person("label", rows, "--labels", "x,y", "-o", tmp_path / "out.jsonl")
    p.sees("lines 1 to ").sees("line 0 ")
    p.types(b"\x1b[B").sees("lines 2 to ").types(b"\x1b[6~")
    p.sees("line 20 ")
    assert b"line 0 " not in p.screen()
    for _ in range(40):
        p.types(b"\x1b[6~")
    p.sees("to 200 of 200").sees("line 199 ")
    fcntl.ioctl(p.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 40, 0, 0))
    os.kill(p.process.pid, signal.SIGWINCH)
    p.sees("of 400; ar")
    assert all(len(line) < 40 for line in p.screen().decode().replace("\x1b[1m", "").replace("\x1b[0m", "").split("\r\n"))
    p.types("y")
    assert p.ends() == 0


def test_pasted_text_gives_no_answers(rows, tmp_path, person):
    out = tmp_path / "out.jsonl"
    p = person("label", rows, *LABELS, "-o", out)
    p.sees("row 1 of 5").types(b"\x1b[200~crpcrp0\x1b[201~").types("r").sees("row 2 of 5").types("\x04")
    assert p.ends() == 0
    assert [row["label"] for row in rows_of(out)] == ["rate"]


POLICY = """\
when_unsure: careful
routes: [{name: card, models: [m]}, {name: careful, models: [m]}]
stages: [{rules: [{name: cards, when: {keywords: [card]}, route: card}]}]
"""


def test_the_policy_proposes_only_when_asked(rows, tmp_path, person):
    (tmp_path / "policy.yaml").write_text(POLICY)
    config = tmp_path / "c.yaml"
    config.write_text(
        "{kafka: {brokers: 'x:1'}, models: [{name: m, base_url: 'http://x/v1', model: m, price: free}], policy: policy.yaml}"
    )
    p = person("label", rows, "-c", config, "-o", tmp_path / "a.jsonl")
    p.sees("row 1 of 5").sees("careful").types("\r").sees("no label has that key").types("\x04")
    assert p.ends() == 0 and b"Enter" not in p.seen
    p = person("label", rows, "-c", config, "-o", tmp_path / "b.jsonl", "--propose")
    p.sees("Enter: card").types("\r").sees("row 2 of 5").types("\r").sees("no label").types("\x04")  # no stage is sure: nothing to propose
    assert p.ends() == 0
    assert [row["label"] for row in rows_of(tmp_path / "b.jsonl")] == ["card"]


def run(*arguments):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=60, start_new_session=True, stdin=subprocess.DEVNULL)


def test_what_cannot_be_is_said(rows, tmp_path, person):
    out = tmp_path / "out.jsonl"
    assert "terminal" in run("label", rows, *LABELS, "-o", out).stderr
    for arguments, code, words in (
        ([rows, *LABELS], 2, "--out"),
        ([rows, "-o", out], 2, "which labels"),
        ([rows, "--labels", "a,a", "-o", out], 2, "twice"),
        ([rows, "--labels", "a,,b", "-o", out], 2, "no label"),
        ([rows, "--labels", "a,oos", "-o", out], 2, "none of these"),
        ([rows, "--labels", ",".join(f"l{i}" for i in range(62)), "-o", out], 2, "61"),
        ([rows, *LABELS, "-o", tmp_path / "out.csv"], 2, "JSON Lines"),
        ([rows, *LABELS, "-o", rows], 3, "the data set itself"),
        ([rows, *LABELS, "-o", tmp_path / "no/out.jsonl"], 3, "cannot be opened"),
        ([tmp_path / "none.jsonl", *LABELS, "-o", out], 3, "none.jsonl"),
        ([rows, *LABELS, "--propose", "-o", out], 2, "-c FILE"),
    ):
        done = run("label", *arguments)
        assert (done.returncode, words in done.stderr) == (code, True), done
    rows.write_text('{"text": "a"}\n{"text": 1}\n')
    done = run("label", rows, *LABELS, "-o", out)
    assert done.returncode == 3 and "rows.jsonl:2" in done.stderr
    p = person("label", rows, *LABELS, "-o", out, "--skip-bad")
    p.sees("row 1 of 1")
    assert "somebody else" in run("label", rows, *LABELS, "-o", out, "--skip-bad").stderr
