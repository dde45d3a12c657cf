"""The schemas and their promise: what any released version wrote, the current one reads, and the other way round; enums are those
of the program's own tables. Needs no services."""

import io
import json
import re
from pathlib import Path

import fastavro
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"
NAMES = ["request", "response", "decision", "forward"]  # forward names request and decision: it comes last
RELEASES = sorted(p.name for p in (SCHEMAS / "released").iterdir())


def load(folder):
    named = {}
    return {name: fastavro.parse_schema(json.loads((folder / f"{name}.avsc").read_text()), named_schemas=named) for name in NAMES}


def sample(schema, named, full):
    """A value of the schema: the least one, or one with something in every optional field."""
    if isinstance(schema, list):
        return sample(schema[1], named, full) if full else None
    if isinstance(schema, str) and schema in named:
        return sample(named[schema], named, full)
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind in ("record", "error"):
        return {f["name"]: sample(f["type"], named, full) for f in schema["fields"]}
    if kind == "enum":
        return schema["symbols"][-1 if full else 0]
    if kind == "array":
        return [sample(schema["items"], named, full)] if full else []
    if kind == "map":
        return {"k": sample(schema["values"], named, full)} if full else {}
    return {"string": "s\u00fc" if full else "", "int": 7, "long": 1 << 40, "float": 0.5, "double": 0.25, "boolean": full}[kind]


def names_in(schema, named):
    if isinstance(schema, list):
        for branch in schema:
            names_in(branch, named)
    elif isinstance(schema, dict):
        if "name" in schema and "type" in schema and schema["type"] in ("record", "enum", "fixed"):
            named[schema["name"]] = schema
        for field in schema.get("fields", []):
            names_in(field["type"], named)
        for key in ("items", "values"):
            if key in schema:
                names_in(schema[key], named)
    return named


def fields(schema):
    """Every field of every record, nested ones too."""
    if isinstance(schema, list):
        for branch in schema:
            yield from fields(branch)
    elif isinstance(schema, dict):
        for field in schema.get("fields", []):
            yield schema, field
            yield from fields(field["type"])
        for key in ("items", "values"):
            yield from fields(schema.get(key))


def all_names(schemas):
    named = {}
    for schema in schemas.values():
        names_in(schema, named)
    return named


@pytest.mark.parametrize("full", [False, True], ids=["least", "full"])
@pytest.mark.parametrize("direction", ["backward", "forward"])
@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", NAMES)
def test_a_released_schema_and_the_current_one_read_each_other(name, release, direction, full):
    released, current = load(SCHEMAS / "released" / release), load(SCHEMAS)
    writers, readers = (released, current) if direction == "backward" else (current, released)
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, writers[name], sample(writers[name], all_names(writers), full))
    stream.seek(0)
    value = fastavro.schemaless_reader(stream, writers[name], readers[name])
    assert set(value) == {f["name"] for f in readers[name]["fields"]}
    assert stream.read() == b""


@pytest.mark.parametrize("name", NAMES)
def test_every_field_says_what_it_is(name):
    schema = json.loads((SCHEMAS / f"{name}.avsc").read_text())
    assert schema["doc"]
    silent = [f"{record['name']}.{field['name']}" for record, field in fields(schema) if not field.get("doc")]
    assert silent == []


@pytest.mark.parametrize("name", NAMES)
def test_optional_fields_have_the_default_null_and_enums_a_default_symbol(name):
    schema = json.loads((SCHEMAS / f"{name}.avsc").read_text())
    for record, field in fields(schema):
        where = f"{record['name']}.{field['name']}"
        if isinstance(field["type"], list):
            assert field["type"][0] == "null" and len(field["type"]) == 2, where
            assert field.get("default", "none given") is None, where
        if isinstance(field["type"], dict) and field["type"]["type"] == "enum":
            assert field["type"]["default"] in field["type"]["symbols"], where


def symbols(name, schemas):
    return all_names(schemas)[f"pointsman.{name}"]["symbols"]


def test_the_outcomes_are_the_rows_of_the_outcome_table():
    rows = re.findall(r'^X\(\w+,\s+"(\w+)"', (ROOT / "worker/job/outcome.def").read_text(), re.MULTILINE)
    assert symbols("Outcome", load(SCHEMAS)) == rows


def test_the_statuses_are_those_of_the_program_in_its_order():
    text = (ROOT / "worker/job/outcome.h").read_text()
    rows = re.search(r"enum status \{([^}]*)\}", text).group(1).replace("STATUS_", "").lower()
    assert ["none", *symbols("Status", load(SCHEMAS))] == [row.strip() for row in rows.split(",")]


def test_the_cache_sources_are_those_of_the_program_in_its_order():
    text = (ROOT / "worker/job/job.h").read_text()
    rows = re.search(r"enum cache_source \{([^}]*)\}", text).group(1).replace("CACHE_", "").lower()
    assert symbols("CacheSource", load(SCHEMAS)) == [row.strip() for row in rows.split(",")]
