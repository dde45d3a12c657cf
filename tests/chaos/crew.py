"""The workers of one seed, and who looks after them: what an orchestrator does, and what it must not have to do.

A member is ordered up or down by the schedule. One that ends without an order, or in another way than ordered, is noted as a
failure and started again. Each end that can leave calls uncommitted is counted, for the bound on repeated calls.
"""

import re
import signal
import time

from paths import PATIENCE
from worker import SANITIZER_WORDS, Worker

KILLED, LEFT = -signal.SIGKILL, 0
UNFINISHED = re.compile(r'"event":"partitions (?:lost|revoked)".*?"unfinished":(\d+)')


class Member:
    """One place in the crew. Its worker may die and come again."""

    def __init__(self, worker):
        self.worker = worker
        self.up = False  # ordered
        self.paused = False
        self.expected = set()  # exit codes that were ordered in this life
        self.ordered_kill = False
        self.armed = None  # the fault that this life was started with
        self.next_arm = None
        self.start_at = None
        self.pause = None  # how long after its end it is started again; None: never
        self.since = 0.0

    def is_alive(self):
        return self.worker.is_alive()


class Crew:
    def __init__(self, folder, config, policy, bug, instance, excuse, note):
        """config(name) -> the configuration of the member of that name. excuse() -> is the world such that a worker may give up
        at its start? note(words): for the story of the seed."""
        self.folder, self.config, self.policy, self.bug = folder, config, policy, bug
        self.instance, self.excuse, self.note = instance, excuse, note
        self.members, self.failures, self.kills, self.fired = {}, [], 0, []
        self.excused_until = 0.0

    def member(self, name):
        if name not in self.members:
            self.members[name] = Member(Worker(self.folder / name, self.config(name), self.policy))
        return self.members[name]

    def start(self, name, arm=None):
        m = self.member(name)
        self._look_at(name, m)
        m.up, m.start_at = True, None
        if m.is_alive():
            return
        env = {"POINTSMAN_FAULT": arm[0]} if arm else {}
        if self.bug:
            env["POINTSMAN_BUG"] = self.bug
        m.worker.env = env
        m.worker.start(ready=False)
        m.ordered_kill = False
        m.armed, m.expected, m.paused, m.since = arm, set(), False, time.monotonic()

    def _look_at(self, name, m):
        if m.worker.process is not None and m.worker.process.poll() is not None:
            self._ended(name, m)

    def _end(self, name, number, code, pause):
        m = self.member(name)
        self._look_at(name, m)
        m.pause, m.up = pause, pause is not None
        if not m.is_alive():
            m.start_at = None if pause is None else m.start_at
            return
        if number == signal.SIGTERM and LEFT in m.expected:
            return  # it is leaving; a second one would hurry it
        m.ordered_kill |= code == KILLED
        m.expected |= {code, KILLED} if m.armed else {code}
        m.worker.signal(number)

    def kill(self, name, pause=None):
        self._end(name, signal.SIGKILL, KILLED, pause)

    def term(self, name, pause=None):
        self._end(name, signal.SIGTERM, LEFT, pause)

    def arm(self, name, how, fault, pause):
        """It is ended and started again; then it dies at the fault, and is back after the pause."""
        m = self.member(name)
        self.kill(name, 0.0) if how == "kill" else self.term(name, 0.0)
        m.up, m.next_arm = True, (fault, pause)
        if not m.is_alive():
            m.start_at = time.monotonic()

    def stop(self, name):
        m = self.member(name)
        if m.is_alive():
            m.worker.signal(signal.SIGSTOP)
            m.paused = True

    def cont(self, name):
        m = self.member(name)
        if m.is_alive():
            m.worker.signal(signal.SIGCONT)
        m.paused = False

    def _ended(self, name, m):
        code, now = m.worker.process.returncode, time.monotonic()
        m.worker.process = None
        m.paused = False
        self.kills += code == KILLED
        if code == KILLED and m.armed is not None and not m.ordered_kill:
            self.fired.append(m.armed[0].split(":")[0])
            if m.start_at is None and not m.expected:
                m.pause = m.armed[1]
        elif code in m.expected:
            pass
        elif code == -signal.SIGTERM and LEFT in m.expected and now - m.since < 5 * PATIENCE:
            self.note(f"{name} was asked to leave before it could listen")
        elif code in (1, 3) and self.excused_until > m.since:  # no brokers, or no topic, just when it started
            self.note(f"{name} gave up: {m.worker.log_tail(1)[:300]}")
            m.pause = 0.5
        else:
            self.failures.append(f"{name} ended with {code}, which nobody ordered:\n{m.worker.log_tail(4)}")
            self.kills += 1
            m.pause = 0.5
        self.note(f"{name} ended with {code}" + (f", armed with {m.armed[0]}" if m.armed else ""))
        m.start_at = now + m.pause if m.up and m.pause is not None else None

    def look(self):
        """To be called often: takes note of ends, and starts what is due."""
        now = time.monotonic()
        if self.excuse():
            self.excused_until = now
        for name, m in self.members.items():
            self._look_at(name, m)
            if m.start_at is not None and now >= m.start_at and m.up:
                arm, m.next_arm = m.next_arm, None
                self.start(name, arm)

    def someone_lives(self, for_s):
        """A member that was not stopped, has had that time to start and is to stay."""
        now = time.monotonic()
        return any(m.up and m.is_alive() and not m.paused and now - m.since > for_s for m in self.members.values())

    def ready_members(self):
        return [n for n, m in self.members.items() if m.is_alive() and not m.paused and m.worker.get("/readyz")[0] == 200]

    def heal(self, regular):
        """All regular members are up and unarmed; the others leave."""
        self.look()
        for name, m in list(self.members.items()):
            if m.paused:
                self.cont(name)
            m.next_arm = None
            if name not in regular:
                self.term(name)
            elif m.armed and m.is_alive():
                self.term(name, 0.0)
        for name in regular:
            m = self.member(name)
            m.up = True
            if not m.is_alive() and m.start_at is None:
                self.start(name)

    def end(self, number=signal.SIGTERM, timeout=40):
        """Everybody ends; whoever does not in time is a failure."""
        for name, m in self.members.items():
            if m.paused:
                self.cont(name)
            self.term(name) if number == signal.SIGTERM else self.kill(name)
            m.start_at = m.next_arm = None
            m.up = False
        end = time.monotonic() + timeout * PATIENCE
        while any(m.worker.process is not None for m in self.members.values()):
            self.look()
            for name, m in self.members.items():
                if m.is_alive() and time.monotonic() > end:
                    self.failures.append(f"{name} has not left {timeout * PATIENCE:g} s after SIGTERM:\n{m.worker.log_tail(4)}")
                    m.expected = {KILLED}
                    m.worker.kill()
            time.sleep(0.02)

    def unfinished_at_losses(self):
        """What the members themselves say that they had under way when they lost partitions."""
        return sum(int(n) for m in self.members.values() for n in UNFINISHED.findall(m.worker.log_text()))

    def said(self, words):
        return sum(m.worker.log_text().count(words) for m in self.members.values())

    def findings(self):
        """Words of sanitizers and of asserts in the logs."""
        found = []
        for name, m in self.members.items():
            text = m.worker.log_text()
            for pattern in (SANITIZER_WORDS, re.compile(r"Assertion .* failed|bug: |stack smashing|corrupted")):
                hit = pattern.search(text)
                if hit:
                    found.append(f"{name}: {text[hit.start() : hit.start() + 600]}")
        return found
