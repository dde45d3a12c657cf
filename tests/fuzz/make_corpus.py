#!/usr/bin/env python3
"""make_corpus.py: writes tests/fuzz/corpus: small inputs of our own for each fuzz target to start from."""
import base64
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))


def put(target, name, data):
    folder = os.path.join(HERE, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def zigzag(n):
    n = n << 1 if n >= 0 else (-n << 1) - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def text(s):
    return zigzag(len(s)) + s


# Avro: schema, NUL, record
RECORD = b'{"type":"record","name":"a.R","fields":[%s]}'
put("avro", "flat", RECORD % b'{"name":"id","type":"string"},{"name":"n","type":["null","long"]}'
    + b"\0" + text(b"x") + zigzag(1) + zigzag(-5))
put("avro", "lists", RECORD % b'{"name":"id","type":{"type":"array","items":{"type":"map","values":"bytes"}}}'
    + b"\0" + zigzag(1) + zigzag(1) + text(b"k") + text(b"v") + b"\0\0")
put("avro", "named", RECORD % (b'{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},'
    b'{"name":"f","type":{"type":"fixed","name":"F","size":2}},{"name":"next","type":["null","R"]}')
    + b"\0" + zigzag(1) + b"zz" + zigzag(0))
put("avro", "nulls", b'{"type":"array","items":"null"}\0' + zigzag(1 << 31) + b"\0")
put("avro", "sized", b'{"type":"array","items":["int","double","float","boolean"]}\0'
    + zigzag(-1) + zigzag(2) + zigzag(0) + zigzag(7) + b"\0")
put("avro", "micros", b'{"type":"long","logicalType":"timestamp-micros"}\0' + zigzag(1700000000000000))

for name, data in {
    "all": b'{"a":[1,-2.5e3,true,false,null],"b":{"c":"\\u00e9\\n\\ud83d\\ude00"}, "":""}',
    "deep": b"[" * 63 + b"]" * 63, "twice": b'{"a":1,"a":2}', "lone": b'"\\ud800"', "number": b"-0.0E+12",
}.items():
    put("json", name, data)


def progress(base, span, offsets, k, owner=b"w"):
    bits = ""
    for a, b in zip(offsets, offsets[1:]):
        gap = b - a - 1
        bits += "1" * (gap >> k) + "0" + (format(gap & (1 << k) - 1, "0%db" % k) if k else "")
    bits += "0" * (-len(bits) % 8)
    return struct.pack(">BBHQQHBBHHB", 1, 1, 0, base, span, len(offsets), k, len(owner), 0xFFFF, 0xFFFF, 0) + owner + bytes(
        int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return struct.pack(">I", crc ^ 0xFFFFFFFF)


# a length of whole threes with the checksum, as fuzz_progress.c wants it
put("progress", "none", progress(5, 0, [], 0, b"abc"))
put("progress", "some", progress(5, 10, [5, 7, 14], 1, b"wo"))
put("progress", "far", progress(0, 1 << 40, [0, (1 << 40) - 1], 39, b"abc"))
EMPTY = progress(0, 0, [], 0, b"abc")
put("progress", "text", base64.b64encode(EMPTY + crc32c(EMPTY)))

ANSWER = (b'{"id":"c-1","choices":[{"message":{"role":"assistant","content":"Hi \\u00e9"},"finish_reason":"stop"}],'
          b'"usage":{"prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":1}}}')
put("answer", "whole", ANSWER)
put("answer", "broken", ANSWER.replace(b"\\u00e9", b"\\ud800\xff"))
put("answer", "error", b'{"error":{"message":"quota","type":"insufficient_quota","code":"insufficient_quota"}}')
put("answer", "seconds", b"120\x001500")
put("answer", "date", b"Sun, 06 Nov 1994 08:49:37 GMT\0")

put("pii", "bank", "DE89 3704 0044 0532 0130 00, 4024\u20110056\u20118359\u20110486, ssn 531-21-7351".encode())
put("pii", "reach", "a.b@c-d.org, x (at) y (dot) de, +49 (0) 170 1234567, (030) 901 820, call 5550132987".encode())
put("pii", "net", b"9.9.9.9 2001:db8::1 v1.2.3.4 http://u:pw12@h/ git@github.com:a/b")
put("pii", "keys", b"password is Tr0ub4dor3, sk\x2d0123456789abcdefghij, ey\x4ahbGciOiJI.ey\x4ahbGciOiJI.abc, -----BEGIN PRIVATE KEY-----")
put("text", "html", b"<p>Hello <b>World</b><script>x</script> &amp; more</p>")
put("text", "mail", "Bitte um R\u00fcckruf.\n\n> Am Montag schrieb A:\n> Text\n-- \nB".encode())
put("text", "scripts", "\u041f\u0440\u0438\u0432\u0435\u0442 \u4f60\u597d \ufb01\u00c5\u0130 e\u0301\u200b".encode())
put("text", "broken", b"a\xc3\x28\xed\xa0\x80\xf4\x90\x80\x80\\ud800\\\\ud800")
put("text", "code", b"```c\nint x = 1;\n```\nif (a) {\n}\n")

put("stored", "url", b"redis://user:p%40ss@host.example:6380/2\0other")
put("stored", "six", b"redis://[::1]:6379")
put("stored", "socket", b"unix:///run/redis.sock?db=3")
put("stored", "value", b"\1" + struct.pack("<q", 1700000000000) + b"m" * 16 + b"value")

put("regex", "word", rb"\b[Ee]-\d{2,4}\b" + b"\0error E-123")
put("regex", "slow", b"^(x+)+$\0" + b"x" * 40 + b"!")
put("regex", "back", rb"(?<a>.)\k<a>(?!b)(?i:c)\p{L}" + "\0xxc\u00e9".encode())

put("config", "small", b"kafka: {brokers: 'a:9092', group: g}\ninput: {topics: [in]}\noutput: {responses: out, decisions: audit,"
    b" dead_letters: dead}\nmodels:\n  - {name: m, base_url: 'http://h/v1', model: x, concurrency: 4, timeout: 10s}\npolicy: p.yaml\n")
put("config", "odd", b"a: &x [1, 2]\nb: *x\nc: !!str 5\n---\nd: ${HOME}$$\n")
put("config", "texts", b"a: |\n  x\n  y\nb: >-\n  z\nc: \"\\u00e9\\n\"\nd: ''\n? e\n: f\n")

ROUTES = (b"name: p\nwhen_unsure: b\nroutes: [{name: a, models: [small]}, {name: b, models: [capable, small], system: 's {tenant}'}]\n"
          b"stages:\n  - rules:\n")
put("policy", "keywords", ROUTES + b"    - {name: r, route: a, when: {keywords: [refund, money back]}}\n\0I want a refund")
put("policy", "many", ROUTES + b"    - {name: r, route: a, when: {any: [{regex: '^x+$'}, {min_words: 3, language: [de, en]},"
    b" {none: [{attributes: {p: q}}, {has_code: true}]}]}}\n\0some words here")

put("wire", "json", b"traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\nce_id=1\0"
    b'{"id":"1","prompt":"Hello","attributes":{"a":"b"},"max_tokens":5,"stop":["x"],"deadline":"2026-01-01T00:00:00Z"}')
put("wire", "messages", b"kafka_replyTopic=r\nkafka_correlationId=abc\0"
    b'{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}],"embedding":[0.5,1],"priority":3}')
put("wire", "confluent", b"\0\0\0\0\0\7" + text(b"1") + b"\0" * 20)
put("wire", "single", b"\0\xc3\x01" + b"\0" * 8 + text(b"1"))

put("served", "values", b"\0*2\r\n$1\r\nx\r\n$-1\r\n")
put("served", "set", b"\0+OK\r\n*2\r\n$1\r\nx\r\n$0\r\n\r\n")
put("served", "refused", b"\0-OOM no\r\n*2\r\n$-1\r\n:1\r\n")
put("served", "odd", b"\0*-1\r\n")
for name, body in {"schema": b'{"schema":"\\"string\\"","schemaType":"AVRO"}', "proto": b'{"schema":"x","schemaType":"PROTOBUF"}',
                   "id": b'{"id":12}'}.items():
    put("served", name, b"\1HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
put("served", "chunked", b"\1HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n0\r\n\r\n")
put("served", "missing", b"\1HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")

CHOICE = b'{\\"route\\":\\"kb\\",\\"confidence\\":0.9}'
CHAT = b'{"choices":[{"message":{"content":"%s"}%s}],"usage":{"prompt_tokens":3}}'
for name, data in {
    "good": CHAT % (CHOICE, b""),
    "fenced": CHAT % (b"Sure:\\n```json\\n" + CHOICE + b"\\n```", b""),
    "two": CHAT % (CHOICE + b' {\\"route\\":\\"human\\"}', b""),
    "tokens": CHAT % (CHOICE, b',"logprobs":{"content":[{"token":"{\\"route\\":\\"","logprob":-1},{"token":"kb\\"","logprob":-0.1}]}'),
    "bare": b'{"route":"kb_answer","confidence":1}',
    "list": b'{"data":[{"embedding":[1,-0.5,2e-1]}]}',
    "base64": b'{"data":[{"embedding":"AACAPwAAAL8AAIA+"}]}',
}.items():
    put("router", name, b"route: human\0" + data)
