#!/usr/bin/env python3
"""Writes tests/unit/avro_golden.h: schemas, their canonical forms and fingerprints, and records as an independent
implementation (fastavro) encodes them. Run it by hand when a case is added: python3 tests/unit/make_avro_golden.py"""
import io
import json
import pathlib

import fastavro
from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

HERE = pathlib.Path(__file__).parent
SCHEMAS = HERE.parent.parent / "schemas"

TREE = {"type": "record", "name": "Node", "fields": [
    {"name": "value", "type": "string"},
    {"name": "next", "type": ["null", "Node"], "default": None},
]}
TICKET = {"type": "record", "name": "Ticket", "namespace": "shop", "aliases": ["Case"], "doc": "a ticket", "fields": [
    {"name": "id", "type": "long"},
    {"name": "opened", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "OPEN", "DONE"]}},
    {"name": "digest", "type": {"type": "fixed", "name": "Digest", "size": 4}},
    {"name": "ticket", "type": {"type": "record", "name": "Body", "fields": [
        {"name": "subject", "type": ["null", "string"], "default": None},
        {"name": "body", "type": "string", "aliases": ["text"]},
        {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "namespace": "shop.parts",
                                                              "fields": [{"name": "sku", "type": "string"},
                                                                         {"name": "n", "type": "int"}]}}},
    ]}},
    {"name": "labels", "type": {"type": "map", "values": ["null", "string", "double"]}},
    {"name": "score", "type": "float"},
    {"name": "weight", "type": "double"},
    {"name": "urgent", "type": "boolean"},
    {"name": "blob", "type": "bytes"},
    {"name": "again", "type": ["null", "State"]},
    {"name": "extra", "type": ["null", "shop.parts.Line"]},
    {"name": "nothing", "type": "null"},
]}
TICKET_ROW = {
    "id": -4711, "opened": 1700000000123456, "state": "OPEN", "digest": b"\x01\x02\x03\x04",
    "ticket": {"subject": "Printer \u00fc", "body": "It burns.", "lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": -2}]},
    "labels": {"product": "P1", "none": None, "ratio": 0.25}, "score": 1.5, "weight": -1e300, "urgent": True, "blob": b"\xff\x00",
    "again": "DONE", "extra": {"sku": "z", "n": 2147483647}, "nothing": None,
}
REQUEST_ROW = {
    "id": "r1", "tenant": "acme", "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi \u00fc"}],
    "attributes": {"product": "x", "queue": "hw"}, "embedding": [1.0, -2.5, 0.125], "deadline": 1800000000000, "priority": -2,
    "max_tokens": 100, "temperature": 0.5, "stop": ["END"], "response_format": "json",
}
CANONICAL = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
    {"type": "int"}, {"type": "array", "items": "long"}, {"type": "map", "values": {"type": "string"}}, ["null", "string"],
    {"type": "fixed", "name": "F", "size": 16, "namespace": "a.b"},
    {"type": "enum", "name": "a.b.E", "symbols": ["X", "Y"], "doc": "no", "default": "X"},
    TREE, TICKET,
]


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def c_bytes(name, data):
    rows = [data[i:i + 24] for i in range(0, len(data), 24)]
    body = "\n".join('\t"' + "".join(f"\\x{b:02x}" for b in row) + '"' for row in rows) or '\t""'
    return f"static const char {name}[] =\n{body};\nenum {{ {name}_bytes = {len(data)} }};\n"


def encode(schema, row):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parse_schema(json.loads(json.dumps(schema))), row)
    return out.getvalue()


def main():
    lines = ["/* Written by make_avro_golden.py with fastavro " + fastavro.__version__ + "; not by hand. */", "", "#include <stdint.h>", "",
             "static const struct {", "\tconst char *schema, *canonical;", "\tuint64_t fingerprint;", "} canonical_cases[] = {"]
    for schema in CANONICAL:
        canonical = to_parsing_canonical_form(parse_schema(json.loads(json.dumps(schema))))
        little_endian = bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))
        number = int.from_bytes(little_endian, "little")
        lines.append(f"\t{{{c_string(json.dumps(schema))},\n\t {c_string(canonical)}, UINT64_C(0x{number:016x})}},")
    lines.append("};\n")
    request = json.loads((SCHEMAS / "request.avsc").read_text())
    lines.append(f"static const char ticket_schema[] =\n\t{c_string(json.dumps(TICKET))};\n")
    lines.append(f"static const char tree_schema[] =\n\t{c_string(json.dumps(TREE))};\n")
    lines.append(c_bytes("ticket_row", encode(TICKET, TICKET_ROW)))
    lines.append(c_bytes("request_row", encode(request, REQUEST_ROW)))
    (HERE / "avro_golden.h").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
