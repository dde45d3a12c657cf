"""Golden decisions: prompts go where they went. The decisions are in tests/golden; golden.sh is the command. Needs no services."""

import json
import os
import shutil
import subprocess

import pytest

from services import ROOT

KEPT = ROOT / "tests/golden/decisions"
SETS = sorted(path.stem for path in KEPT.glob("*.jsonl"))
STAGES = {"rules", "semantic", "classifier", "outlier", "difficulty", "when_unsure"}


def golden(*arguments, folder=KEPT):
    command = [ROOT / "tests/scripts/golden.sh", *arguments]
    return subprocess.run(command, env={**os.environ, "GOLDEN": str(folder)}, capture_output=True, text=True, timeout=120)


def rows(path):
    with open(path, encoding="utf-8", newline="\n") as lines:
        return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", SETS)
def test_prompts_are_decided_as_they_were(name):
    told = golden(name)
    assert told.returncode == 0, "\n" + told.stdout + told.stderr


def test_every_local_stage_decides_some_of_the_prompts():
    assert {row["stage"] for row in rows(KEPT / "library.jsonl")} == STAGES


def test_a_prompt_that_goes_elsewhere_is_named_with_the_command_that_accepts_it(tmp_path):
    shutil.copy(KEPT / "library.jsonl", tmp_path)
    kept = rows(tmp_path / "library.jsonl")
    elsewhere, otherwise, missing = kept[0], kept[3], kept[7]["id"]
    was = elsewhere["route"]
    elsewhere["route"], otherwise["confidence"] = "loans", 0.123456
    (tmp_path / "library.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept if row["id"] != missing))
    told = golden("library", folder=tmp_path)
    lines = told.stdout.splitlines()
    assert told.returncode == 1
    assert lines[0] == f"library: 3 of {len(kept)} decisions are not as they were; 1 prompts go elsewhere"
    assert lines[1] == f"{elsewhere['id']} goes elsewhere"
    assert "was  loans by semantic" in lines[2] and f"is   {was} by semantic" in lines[3]
    assert f"{otherwise['id']} goes where it went, otherwise" in lines and f"{missing} is new" in lines
    assert "tests/scripts/golden.sh --write library" in lines[-1]
    assert golden("--write", "library", folder=tmp_path).returncode == 0
    assert (tmp_path / "library.jsonl").read_bytes() == (KEPT / "library.jsonl").read_bytes()
