"""One pointsman process under test: its configuration files, its life, its admin pages and its log."""

import copy
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import requests

from services import ROOT, free_port

BINARY = os.environ.get("POINTSMAN_BIN", str(ROOT / "build/pointsman"))
FAULTS_BINARY = os.environ.get("POINTSMAN_FAULTS_BIN", str(ROOT / "build/faults/pointsman"))
SANITIZER_WORDS = re.compile(r"ERROR: (Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error:")

POLICY = {
    "name": "testbed",
    "when_unsure": "careful",
    "baseline": "capable",
    "routes": [
        {"name": "quick", "models": ["small"], "on_error": ["capable"], "system": "Answer in one sentence."},
        {"name": "careful", "models": ["capable"]},
    ],
    "stages": [
        {
            "rules": [
                {"name": "everyday", "when": {"keywords": ["printer", "invoice", "password", "parcel"]}, "route": "quick"},
                {"name": "legal", "when": {"any": [{"keywords": ["lawsuit", "subpoena"]}]}, "route": "careful", "priority": 10},
            ]
        }
    ],
}


def merge(into, changes):
    """A deep merge of maps; None removes a key."""
    for key, value in changes.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
    return into


class Worker:
    """config: the whole configuration as a map; it is written as JSON, which is YAML. env: more of the environment, which may
    change between two starts; what names a fault (common/fault.h) is for the build that has them."""

    def __init__(self, folder, config, policy=None, env=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = merge(copy.deepcopy(config), {"admin": {"listen": f"127.0.0.1:{free_port()}"}, "policy": "policy.yaml"})
        (self.folder / "policy.yaml").write_text(json.dumps(policy or POLICY, indent=1))
        self.path = self.folder / "pointsman.yaml"
        self.path.write_text(json.dumps(self.config, indent=1))
        self.log_path = self.folder / "log"
        self.admin = "http://" + self.config["admin"]["listen"]
        self.process = None
        self.env = dict(env or {})

    def environment(self):
        secrets = {"POINTSMAN_CACHE_SECRET": "a-secret-for-tests-only-0123456789abcdef", "MODEL_KEY": "sk-for-tests"}
        return {**os.environ, **secrets, **self.env}

    def start(self, ready=True, timeout=60):
        binary = FAULTS_BINARY if self.env.keys() & {"POINTSMAN_FAULT", "POINTSMAN_BUG", "POINTSMAN_POISON"} else BINARY
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([binary, "run", "-c", self.path], stdout=log, stderr=log, env=self.environment())
        if ready:
            self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout=60):
        end = time.monotonic() + timeout
        while self.get("/readyz")[0] != 200:
            assert self.process.poll() is None, f"the worker ended with {self.process.returncode}:\n{self.log_tail()}"
            assert time.monotonic() < end, f"not ready within {timeout} s:\n{self.log_tail()}"
            time.sleep(0.05)

    def get(self, path):
        """(status, text); (0, "") when nobody answers."""
        try:
            answer = requests.get(self.admin + path, timeout=5)
            return answer.status_code, answer.text
        except requests.RequestException:
            return 0, ""

    def status(self):
        return json.loads(self.get("/status")[1])

    def counter(self, name):
        """The sample of that name in /metrics, its labels included; 0 when there is none."""
        found = re.search(rf"^{re.escape(name)} (\d+)", self.get("/metrics")[1], re.MULTILINE)
        return int(found.group(1)) if found else 0

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """kill -9."""
        self.signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self, timeout=60):
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def is_stopped(self):
        """As SIGSTOP leaves it."""
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def log_text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines=25):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def log_lines(self):
        """The log's JSON lines as maps."""
        return [json.loads(line) for line in self.log_text().splitlines() if line.startswith("{")]

    def log_has(self, *words):
        """The lines of the log that hold all the words."""
        return [line for line in self.log_lines() if all(w in json.dumps(line) for w in words)]

    def end(self):
        """For the fixture: ends what still runs, and says what a sanitizer has found."""
        if self.is_alive():
            self.signal(signal.SIGCONT)  # one that is stopped would not hear the rest
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        found = SANITIZER_WORDS.search(self.log_text())
        assert not found, f"{self.log_path}:\n" + self.log_text()[found.start() : found.start() + 6000]
