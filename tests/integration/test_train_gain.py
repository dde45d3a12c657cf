"""pointsman train --gain: from judged answers of two models to a difficulty stage, with the binary alone. Needs no services."""

import csv
import json
import os
import subprocess

import pytest

from services import ROOT

BINARY = os.environ.get("POINTSMAN_BIN", ROOT / "build/pointsman")
HARD = ["prove that {} is prime", "derive the sum of {} terms", "prove the theorem for {}", "derive a bound of order {}"]
EASY = ["what colour is door {}", "name a city with {} letters", "which animal has {} legs", "greet guest number {}"]


def run(*arguments, **more):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=120, **more)


def judged():
    for i in range(160):
        hard = i % 2 == 0
        yield {
            "prompt": (HARD if hard else EASY)[i // 2 % 4].format(i * 7 % 97),
            "scores": {"small-v1.2": not hard or i % 20 == 18, "large": True},
            "usd": {"small-v1.2": 0.001, "large": 0.02},
            "source": "proofs" if hard else "trivia",
        }


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "judged.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in judged()))
    return path


FIELDS = ["-f", "weak.quality=scores.small-v1.2", "-f", "strong.quality=scores.large", "-f", "task=source"]


def configured(folder, threshold):
    routes = [{"name": "quick", "models": ["small"]}, {"name": "careful", "models": ["large"]}]
    stage = {"difficulty": {"model": "g.pmg", "weak": "quick", "strong": "careful", "threshold": threshold}}
    (folder / "policy.yaml").write_text(json.dumps({"when_unsure": "careful", "routes": routes, "stages": [stage]}))
    models = [{"name": n, "base_url": "http://localhost:9/v1", "model": "m", "price": "free"} for n in ("small", "large")]
    config = folder / "pointsman.yaml"
    config.write_text(json.dumps({"kafka": {"brokers": "localhost:9"}, "models": models, "policy": "policy.yaml"}))
    return config


def test_from_judged_rows_to_decisions_and_each_task_is_reported(rows, tmp_path):
    told = run("train", "--gain", rows, *FIELDS, "-o", tmp_path / "g.pmg", "--json")
    assert told.returncode == 0, told.stderr
    report = json.loads(told.stdout)
    assert report["rows"] == 160 and report["rows_without_quality"] == 0
    by_task = {h["task"]: h for h in report["held_out"]}
    assert set(by_task) == {"proofs", "trivia", None}
    assert by_task["trivia"]["apgr"] is None and by_task["trivia"]["weak_quality"] == 1
    assert by_task[None]["apgr"] > 0.65 and by_task[None]["apgr_low"] > 0.5 and by_task[None]["held_out"] == 160
    config = configured(tmp_path, 0.5)
    for text, route in (("prove that 11 is prime", "careful"), ("what colour is door 5", "quick")):
        decision = json.loads(run("explain", "-c", config, "--json", text).stdout)
        assert decision["route"] == route, decision
    assert run("train", "--gain", rows, *FIELDS, "-o", tmp_path / "again.pmg").returncode == 0
    assert (tmp_path / "again.pmg").read_bytes() == (tmp_path / "g.pmg").read_bytes()


def test_a_csv_with_the_plain_names_needs_no_fields(tmp_path):
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["prompt", "weak.quality", "strong.quality"])
        out.writerows([r["prompt"], r["scores"]["small-v1.2"], r["scores"]["large"]] for r in judged())
        out.writerow(["never judged", "", "1"])
    told = run("train", "--gain", tmp_path / "rows.csv", "-o", tmp_path / "g.pmg", "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["rows_without_quality"] == 1


def test_what_is_wrong_is_said_with_its_place(rows, tmp_path):
    out = tmp_path / "g.pmg"
    assert "gains are learned from 50" in run("train", "--gain", rows, "-f", "weak.quality=nowhere", "-o", out).stderr
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "a", "weak": {"quality": 7}, "strong": {"quality": 1}}\n')
    told = run("train", "--gain", bad, "-o", out)
    assert told.returncode == 3 and "bad.jsonl:1: error: weak.quality is a quality from 0 to 1" in told.stderr
    assert run("train", "--gain", rows).returncode == 2
    assert "usage: pointsman train --gain" in run("train", "--gain", "--help").stdout
    assert not out.exists()


def judged_apart(folder, first, count):
    path = folder / f"judged-{first}.jsonl"
    rows = []
    for i in range(first, first + count):
        hard = i % 2 == 0
        text = (HARD if hard else EASY)[i // 2 % 4].format(f"{i} and {i * 3}")
        rows.append({"text": text, "weak": {"quality": 0 if hard and i % 10 != 4 else 1, "cost": 0.001}, "strong": {"quality": 1, "cost": 0.02}})
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def test_the_threshold_is_calibrated_on_rows_kept_apart_and_the_mark_holds(tmp_path):
    learned, apart = judged_apart(tmp_path, 0, 200), judged_apart(tmp_path, 1000, 200)
    assert run("train", "--gain", learned, "-o", tmp_path / "g.pmg").returncode == 0
    config = configured(tmp_path, 0.5)
    told = run("calibrate", "-c", config, apart, "--strong-share", "30%", "--json")
    assert told.returncode == 0, told.stderr
    by_share = json.loads(told.stdout)
    assert by_share["rows"] == 200 and 0.2 < by_share["strong_share"] <= 0.3
    told = run("calibrate", "-c", config, apart, "--target-quality", "95%", "--json")
    by_quality = json.loads(told.stdout)
    assert told.returncode == 0 and by_quality["quality"] >= 0.95 * by_quality["quality_all_strong"]
    assert by_share["threshold"] > by_quality["threshold"]

    (tmp_path / "policy.yaml").write_text(
        "when_unsure: careful\nroutes: [{name: quick, models: [small]}, {name: careful, models: [large]}]\nstages:\n"
        "  - difficulty: {model: g.pmg, weak: quick, strong: careful, threshold: 0.5}\n"
    )
    told = run("calibrate", "-c", config, apart, "--target-quality", "95%")
    assert told.returncode == 0, told.stderr
    assert "+++" in told.stdout and "all strong" in told.stdout
    assert "threshold: 0.5}" in (tmp_path / "policy.yaml").read_text(), "nothing is changed unasked"
    assert run("calibrate", "-c", config, apart, "--target-quality", "95%", "--write").returncode == 0
    written = (tmp_path / "policy.yaml").read_text()
    assert f"threshold: {by_quality['threshold']}" in written and "calibrated: {data: " in written
    checked = run("check-config", "-c", config)
    assert "uncalibrated" not in checked.stdout + checked.stderr and "stale" not in checked.stdout + checked.stderr
    assert "The policy says so already." in run("calibrate", "-c", config, apart, "--target-quality", "95%").stdout
    (tmp_path / "policy.yaml").write_text(written.replace(f"threshold: {by_quality['threshold']}", "threshold: 0.1"))
    checked = run("check-config", "-c", config)
    assert "stale" in checked.stdout + checked.stderr


def test_rows_that_were_learned_prove_nothing(tmp_path):
    learned = judged_apart(tmp_path, 0, 200)
    assert run("train", "--gain", learned, "-o", tmp_path / "g.pmg").returncode == 0
    config = configured(tmp_path, 0.5)
    told = run("calibrate", "-c", config, learned, "--strong-share", "30%")
    assert told.returncode == 4 and "200 were left out because the model was trained on them" in told.stderr
    assert run("calibrate", "-c", config, learned, "--strong-share", "30%", "--target-quality", "0.9").returncode == 2
    assert run("calibrate", "-c", config, learned, "--strong-share", "130%").returncode == 2
