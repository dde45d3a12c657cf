"""The walk through a README: its commands are run, and what it shows is held against what they print.

A block fenced as ```console holds commands (`$ ` and what follows; a line that ends in `\\` goes on) and what each writes to its
standard output. A line `...` stands for any lines, or none, and one version (16 hexadecimal digits) is as good as another, since it
changes with everything that decides. All of them run in one shell, from top to bottom, in a copy of the
README's folder, so a file that one writes is there for the next, and nothing of the source tree changes. The rows of a table whose
last column is headed `command` are run in their turn, too: each other cell with a digit in it must be something that the command
prints. No share in the prose may be one that none of the commands has said: that is what goes stale first. And a file that the folder has
and a command writes anew (a model, a policy with its thresholds) must come out as it was, byte for byte.

Blocks of another kind are shown and not run. What goes to standard error (how long it took) is not part of a README.

    python3 tests/integration/walk.py [--write] deploy/recipes/NAME/README.md

says where a README differs, or writes into it what its commands print now, and beside it what they write; a block that still holds
stays as it is.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("POINTSMAN_BIN", str(ROOT / "build/pointsman"))
TIMEOUT_S = 300
VERSION = re.compile(r"\b[0-9a-f]{16}\b")
SHARE = re.compile(r"\d+(?:\.\d+)? ?%")


@dataclass
class Step:
    """A command of the README, and what the README says of it: lines that it prints, or cells that occur in them."""

    command: str
    line: int  # of the README, counted from 1
    shown: list = field(default_factory=list)
    shown_at: int = 0  # index of the first shown line
    cells: list = None  # of a table's row
    code: int = None
    output: str = ""
    errors: str = ""

    def fault(self):
        """What does not hold, in words; None when all does."""
        if self.code != 0:
            return f"ended with {self.code}: {self.errors.strip()}"
        if self.cells is not None:
            missing = [cell for cell in self.cells if not re.search(rf"(?<![\d.]){re.escape(cell)}(?![\d.]*\d)", self.output)]
            return f"does not print {', '.join(repr(cell) for cell in missing)} but\n{self.output}" if missing else None
        return None if matches(self.shown, self.output) else f"prints\n{self.output}"


def matches(shown, output):
    shown, printed = (VERSION.sub("version", "\n".join(trimmed(lines))).split("\n") for lines in (shown, output.split("\n")))
    pattern = "".join("(?:.*\n)*?" if line.strip() == "..." else re.escape(line) + "\n" for line in shown)
    return re.fullmatch(pattern, "".join(line + "\n" for line in printed)) is not None


def trimmed(lines):
    """Without empty lines at the end and blanks at the end of lines, which nobody sees."""
    return re.sub(r"[ \t]+$", "", "\n".join(lines), flags=re.MULTILINE).rstrip("\n").split("\n")


def steps_of(text):
    """The commands of a README, from top to bottom."""
    steps, fence, commands_in_table = [], None, False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("```"):
            fence = None if fence is not None else line[3:].strip()
        elif fence == "console":
            read_console_line(steps, line, number)
        elif fence is None:
            cells = [cell.strip(" *") for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
            if not cells:
                commands_in_table = False
            elif cells[-1] == "command":
                commands_in_table = True
            elif commands_in_table and not line.startswith("|-"):
                figures = [cell for cell in cells[:-1] if re.search(r"\d", cell)]
                steps.append(Step(cells[-1].strip("`"), number, cells=figures))
    return steps


def read_console_line(steps, line, number):
    if line.startswith("$ "):
        steps.append(Step(line[2:], number, shown_at=number))
    elif steps and steps[-1].command.endswith("\\"):
        steps[-1].command += "\n" + line
        steps[-1].shown_at = number
    else:
        steps[-1].shown.append(line)


def run(steps, folder, timeout=TIMEOUT_S):
    """Runs them in folder, which they may change. One shell: what is exported stays so."""
    with tempfile.TemporaryDirectory(prefix="pointsman-walk-") as aside:
        aside = Path(aside)
        (aside / "bin").mkdir()
        (aside / "bin/pointsman").symlink_to(Path(BINARY).resolve())
        script = "".join(f"{{\n{step.command}\n}} >{aside}/{i}.out 2>{aside}/{i}.err\necho $? >{aside}/{i}.code\n" for i, step in enumerate(steps))
        env = {**os.environ, "PATH": f"{aside}/bin:{os.environ['PATH']}", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
        shell = subprocess.Popen(["bash", "-c", script], cwd=folder, env=env, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            shell.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
        for i, step in enumerate(steps):
            read = {end: (aside / f"{i}.{end}").read_text(encoding="utf-8") if (aside / f"{i}.{end}").exists() else "" for end in ("out", "err", "code")}
            step.output, step.errors = read["out"], read["err"]
            step.code = int(read["code"]) if read["code"] else -1


def unfounded_shares(text, steps):
    """Shares told in the prose and in tables that no command has said, each once."""
    said = {share.replace(" ", "") for step in steps for share in SHARE.findall(step.output + step.command)}
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [share for share in dict.fromkeys(SHARE.findall(prose)) if share.replace(" ", "") not in said]


def walk(readme, timeout=TIMEOUT_S):
    """The steps of the README, run in a copy of its folder, and the files that they changed: path in the folder -> bytes."""
    steps = steps_of(readme.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="pointsman-walk-") as copy:
        folder = Path(copy) / readme.parent.name
        shutil.copytree(readme.parent, folder)
        run(steps, folder, timeout)
        shipped = [path.relative_to(readme.parent) for path in sorted(readme.parent.rglob("*")) if path.is_file()]
        now = {path: (folder / path).read_bytes() if (folder / path).exists() else None for path in shipped}
    return steps, {path: data for path, data in now.items() if data != (readme.parent / path).read_bytes()}


def faults(readme, steps, changed):
    found = [f"{path}: the commands of {readme.name} make another one" for path in changed]
    found += [f"{readme.name}:{step.line}: $ {step.command}\n{step.fault()}" for step in steps if step.fault()]
    unfounded = unfounded_shares(readme.read_text(encoding="utf-8"), steps)
    return found + [f"{readme.name}: {share}: no command of this page says so" for share in unfounded]


def rewritten(text, steps):
    """The README with what its commands have printed, where it showed something else."""
    lines = text.split("\n")
    for step in reversed(steps):
        if step.cells is None and step.code == 0 and not matches(step.shown, step.output):
            end = len(trimmed(step.shown)) if any(line.strip() for line in step.shown) else 0
            lines[step.shown_at : step.shown_at + end] = trimmed(step.output.split("\n")) if step.output.strip() else []
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="run the commands of a README and compare what it shows")
    parser.add_argument("--write", action="store_true", help="write what they print into it")
    parser.add_argument("readme", type=Path)
    chosen = parser.parse_args()
    steps, changed = walk(chosen.readme)
    if chosen.write:
        for path, data in changed.items():
            (chosen.readme.parent / path).write_bytes(data or b"")
        changed = {}
        chosen.readme.write_text(rewritten(chosen.readme.read_text(encoding="utf-8"), steps), encoding="utf-8")
        steps_now = steps_of(chosen.readme.read_text(encoding="utf-8"))
        for now, before in zip(steps_now, steps):
            now.code, now.output, now.errors = before.code, before.output, before.errors
        steps = steps_now
    found = faults(chosen.readme, steps, changed)
    print(*found, sep="\n\n") if found else print(f"{len(steps)} commands, and all is as {chosen.readme} says")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
