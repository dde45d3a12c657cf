"""`pointsman import`: routers of semantic-router and LiteLLM become policies that check-config takes and that route. No services."""

import json
import os
import subprocess

import pytest

from services import ROOT

BINARY = str(os.environ.get("POINTSMAN_BIN", ROOT / "build/pointsman"))

# As SemanticRouter.to_json() writes it.
SEMANTIC = {
    "encoder_type": "huggingface",
    "encoder_name": "sentence-transformers/all-MiniLM-L6-v2",
    "routes": [
        {
            "name": "politics",
            "utterances": ["who will win the election", "what do you think of the president", "they will save the country"],
            "description": None,
            "function_schemas": None,
            "llm": None,
            "score_threshold": 0.4,
            "metadata": {},
        },
        {
            "name": "small talk / weather",
            "utterances": ["how is the weather today", "is it going to rain tomorrow", "lovely day, is it not", "\u200b"],
            "description": 'the "weather", costs $5',
            "function_schemas": [{"name": "get_weather"}],
            "llm": None,
            "score_threshold": None,
            "metadata": {"owner": "me"},
        },
    ],
}
# As in LiteLLM's documentation of the semantic auto router: a route's name is that of a model.
LITELLM = {
    "encoder_type": "openai",
    "encoder_name": "text-embedding-3-large",
    "routes": [
        {"name": "small", "utterances": ["thank you very much", "hello there"], "score_threshold": 0.3},
        {"name": "capable", "utterances": ["write a program that sorts a list", "find the bug in this function"], "score_threshold": 0.3},
    ],
}


def run(*arguments, cwd=None):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=60, cwd=cwd)


def route(config, text, cwd):
    told = run("explain", "-c", config, "--json", text, cwd=cwd)
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "router.json").write_text(json.dumps(SEMANTIC, indent=2))
    return tmp_path


def test_a_router_becomes_a_policy_that_routes(folder):
    done = run("import", "router.json", "-o", "out.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    checked = run("check-config", "-c", "pointsman.yaml", cwd=folder)
    assert checked.returncode == 0, checked.stderr + checked.stdout
    assert "uncalibrated" in done.stdout and "uncalibrated" in checked.stdout + checked.stderr
    assert (folder / "examples/politics.txt").read_text().splitlines() == SEMANTIC["routes"][0]["utterances"]
    assert len((folder / "examples/small_talk_weather.txt").read_text().splitlines()) == 3
    assert "0.4" in (folder / "out.yaml").read_text()
    assert route("pointsman.yaml", "who wins the next election for president?", folder)["route"] == "politics"
    assert route("pointsman.yaml", "will it rain today, how is the weather", folder)["route"] == "small_talk_weather"
    decision = route("pointsman.yaml", "please resize this picture", folder)
    assert decision["route"] == "default" and decision["unsure"]


def test_nothing_is_dropped_in_silence(folder):
    done = run("import", "router.json", "-o", "out.yaml", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["routes"], report["examples"]) == (2, 6)
    lines = (folder / "router.json").read_text().splitlines()
    notes = {note["path"]: note for note in report["notes"]}
    assert set(notes) == {
        "routes[1].name", "routes[1].utterances[3]", "routes[1].function_schemas", "routes[1].metadata",
    }  # fmt: skip
    for path, word in (("routes[1].function_schemas", "function_schemas"), ("routes[1].metadata", "metadata")):
        place = notes[path]["line"]
        assert word in lines[place - 1]
        assert f"router.json:{place}: {path}: not taken over" in done.stderr
    assert r'description: "the \"weather\", costs $$5"' in (folder / "out.yaml").read_text()


def test_litellms_routes_go_to_the_models_of_their_names(folder):
    (folder / "router.json").write_text(json.dumps(LITELLM))
    models = [{"name": n, "base_url": "http://localhost:9/v1", "model": "m", "price": "free"} for n in ("large", "small", "capable")]
    (folder / "c.yaml").write_text(json.dumps({"kafka": {"brokers": "localhost:9"}, "models": models, "policy": "policy.yaml"}))
    done = run("import", "router.json", "-c", "c.yaml", "-o", "policy.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert not (folder / "pointsman.yaml").exists()
    assert run("check-config", "-c", "c.yaml", cwd=folder).returncode == 0
    decision = route("c.yaml", "please find the bug in my function", folder)
    assert decision["route"] == "capable"
    policy = (folder / "policy.yaml").read_text()
    assert 'name: "default"' in policy and 'models: ["large"]' in policy
    again = run("import", "router.json", "-c", "c.yaml", "-o", "policy.yaml", "--model", "small", cwd=folder)
    assert again.returncode == 1 and "policy.yaml: is there already" in again.stderr and (folder / "policy.yaml").read_text() == policy
    assert run("import", "router.json", "-c", "c.yaml", "-o", "policy.yaml", "--model", "small", "--force", cwd=folder).returncode == 0
    assert 'models: ["large"]' not in (folder / "policy.yaml").read_text()


def test_a_hostile_file_commands_no_terminal_and_breaks_no_policy(folder):
    hostile = {"name": '../../"x\n: [', "utterances": ["say \x1b[31m red", "- a: b # c"], "\x1b]0;t\x07": 1, "description": "a\n---\nb: ${HOME}"}
    (folder / "router.json").write_text(json.dumps([hostile]))
    around = set(folder.parent.iterdir())
    done = run("import", "router.json", "-o", "out.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    assert run("check-config", "-c", "pointsman.yaml", cwd=folder).returncode == 0
    assert set(folder.parent.iterdir()) == around
    assert len(list((folder / "examples").iterdir())) == 1


@pytest.mark.parametrize(
    "content, arguments, code, words",
    [
        ("{}", [], 3, "router.json:1: error"),
        ('{"routes": [\n{"name": 1}]}', [], 3, "router.json:2: error: routes[0]: it has no name"),
        ('[{"name": "a", "utterances": ["..."]}]', ["-c", "none.yaml"], 3, "none.yaml"),
        ('[{"name": "a", "utterances": ["hello"]}]', ["--model", "x"], 2, 'no model "x"'),
        ('[{"name": "a", "utterances": []}]', [], 3, "no route has an utterance"),
    ],
)
def test_what_cannot_be_is_said(folder, content, arguments, code, words):
    (folder / "router.json").write_text(content)
    done = run("import", "router.json", "-o", "out.yaml", *arguments, cwd=folder)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert not (folder / "out.yaml").exists()
    assert run("import", "router.json", cwd=folder).returncode == 2
