/*
 * decode_worst.h: the records of one megabyte that cost a decoder most, by format; for the test of memory and the bench of time.
 */
#ifndef TESTS_UNIT_DECODE_WORST_H
#define TESTS_UNIT_DECODE_WORST_H

#include <stdio.h>
#include <stdlib.h>

#include "worker/wire/room.h"

enum { WORST_BYTES = 1 << 20, WORST_SCHEMA_ID = 7 };

struct worst {
	const char *name;
	const char *schema; /* NULL: JSON */
	/* What the record is made of: head, then unit as often as it fits (at most `times`, 0: no bound), then tail. */
	struct str head, unit, tail;
	uint32_t times;
	bool numbered; /* the unit has a # for a number of six digits, so that names differ */
	const char *prompt; /* a template; NULL: the field prompt */
};

#define WORST_RECORD(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"
#define WORST_FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define WORST_MAP(type) "{\"type\":\"map\",\"values\":" type "}"
#define WORST_LIST(type) "{\"type\":\"array\",\"items\":" type "}"
#define WORST_NULLS WORST_FIELD("a", "\"null\"") "," WORST_FIELD("b", "\"null\"") "," WORST_FIELD("c", "\"null\"") "," WORST_FIELD("d", "\"null\"")
/* a count of 2^31 as Avro writes it */
#define WORST_2G "\x80\x80\x80\x80\x10"
/* a block of one entry, seventeen times, each with the empty name and the empty bytes: a map that grows as badly as it can */
#define WORST_ONE "\2\0\0"
#define WORST_17 WORST_ONE WORST_ONE WORST_ONE WORST_ONE WORST_ONE WORST_ONE WORST_ONE WORST_ONE WORST_ONE WORST_ONE WORST_ONE \
	WORST_ONE WORST_ONE WORST_ONE WORST_ONE WORST_ONE WORST_ONE
#define WORST_65 WORST_17 WORST_17 WORST_17 WORST_ONE WORST_ONE WORST_ONE WORST_ONE WORST_ONE WORST_ONE WORST_ONE WORST_ONE WORST_ONE \
	WORST_ONE WORST_ONE WORST_ONE WORST_ONE WORST_ONE
#define WORST_DEPTH8(x) "[[[[[[[[" x "]]]]]]]]"

static const struct worst worst_records[] = {
	{"json: one long text", NULL, STR("{\"prompt\":\""), STR("abcdefgh"), STR("\"}"), 0, false, NULL},
	{"json: escapes", NULL, STR("{\"prompt\":\""), STR("\\n"), STR("\"}"), 0, false, NULL},
	{"json: escaped code points", NULL, STR("{\"prompt\":\""), STR("\\u00e9"), STR("\"}"), 0, false, NULL},
	{"json: two-byte characters", NULL, STR("{\"prompt\":\""), STR("\xc3\xa9"), STR("\"}"), 0, false, NULL},
	{"json: a text used twice", NULL, STR("{\"prompt\":\""), STR("\\n"), STR("x\"}"), 0, false, "{prompt} {prompt}"},
	{"json: white space", NULL, STR("{\"prompt\":\"x\""), STR(" "), STR("}"), 0, false, NULL},
	{"json: numbers to the bound", NULL, STR("{\"prompt\":\"x\",\"l\":[0"), STR(",0"), STR("]}"), 31990, false, NULL},
	{"json: numbers beyond it", NULL, STR("{\"prompt\":\"x\",\"l\":[0"), STR(",0"), STR("]}"), 0, false, NULL},
	{"json: names to the bound", NULL, STR("{\"prompt\":\"x\""), STR(",\"#\":0"), STR("}"), 31990, true, NULL},
	{"json: a name twice, at the end", NULL, STR("{\"prompt\":\"x\""), STR(",\"#\":0"), STR(",\"prompt\":1}"), 31990, true, NULL},
	{"json: long names", NULL, STR("{\"prompt\":\"x\""), STR(",\"#abcdefghijklmnopqrstu\":0"), STR("}"), 31990, true, NULL},
	{"json: escaped names", NULL, STR("{\"prompt\":\"x\""), STR(",\"\\n\\n\\n\\n#\\n\\n\\n\\n\":0"), STR("}"), 31990, true, NULL},
	{"json: empty maps", NULL, STR("{\"prompt\":\"x\",\"l\":[0"), STR(",{}"), STR("]}"), 31990, false, NULL},
	{"json: maps of one", NULL, STR("{\"prompt\":\"x\",\"l\":[0"), STR(",{\"\":0}"), STR("]}"), 15990, false, NULL},
	{"json: deep lists", NULL, STR("{\"prompt\":\"x\",\"l\":[0"), STR("," WORST_DEPTH8(WORST_DEPTH8(WORST_DEPTH8("")))), STR("]}"), 1270, false, NULL},
	{"json: deeper than allowed", NULL, STR("{\"prompt\":\"x\",\"l\":"), STR("["), STR(""), 0, false, NULL},
	{"json: attributes", NULL, STR("{\"prompt\":\"x\",\"attributes\":{\"a\":1"), STR(",\"#\":\"\\n\""), STR("}}"), 31990, true, NULL},
	{"json: messages", NULL, STR("{\"messages\":[{\"role\":\"u\",\"content\":\"x\"}"),
	 STR(",{\"role\":\"u\",\"content\":\"\\n\\n\\n\\n\\n\\n\\n\\n\"}"), STR("]}"), 990, false, NULL},
	{"json: embedding", NULL, STR("{\"prompt\":\"x\",\"embedding\":[1"), STR(",1.0000000000000000000000000001e-30"), STR("]}"), 8190, false, NULL},
	{"json: one long number", NULL, STR("{\"prompt\":\"x\",\"priority\":1"), STR("0"), STR("}"), 0, false, NULL},
	{"json: a number as the text", NULL, STR("{\"prompt\":1"), STR("0"), STR("}"), 0, false, NULL},

	{"avro: 2^31 nulls skipped", WORST_RECORD(WORST_FIELD("l", WORST_LIST("\"null\""))), STR_NULL, STR(WORST_2G), STR("\0"), 0, false, NULL},
	{"avro: 2^31 nulls kept", WORST_RECORD(WORST_FIELD("attributes", WORST_LIST("\"null\""))), STR_NULL, STR(WORST_2G), STR("\0"), 0, false, NULL},
	{"avro: blocks of one", WORST_RECORD(WORST_FIELD("l", WORST_LIST("\"int\""))), STR_NULL, STR("\2\0"), STR("\0"), 0, false, NULL},
	{"avro: sized blocks of none", WORST_RECORD(WORST_FIELD("l", WORST_LIST("\"int\""))), STR_NULL, STR("\1\0"), STR("\0"), 0, false, NULL},
	{"avro: many null fields", WORST_RECORD(WORST_FIELD("l", WORST_LIST("{\"type\":\"record\",\"name\":\"N\",\"fields\":[" WORST_NULLS ",{\"name\":\"e\",\"type\":\"int\"}]}"))),
	 STR("\xfe\xff\x7f"), STR("\0"), STR("\0"), 0, false, NULL},
	{"avro: many empty records", WORST_RECORD(WORST_FIELD("l", WORST_LIST("{\"type\":\"record\",\"name\":\"N\",\"fields\":["
	 WORST_FIELD("a", "{\"type\":\"record\",\"name\":\"E\",\"fields\":[]}") "," WORST_FIELD("b", "\"E\"") "," WORST_FIELD("c", "\"E\"")
	 ",{\"name\":\"e\",\"type\":\"int\"}]}"))), STR("\xfe\xff\x7f"), STR("\0"), STR("\0"), 0, false, NULL},
	{"avro: attributes, blocks of one", WORST_RECORD(WORST_FIELD("attributes", WORST_MAP("\"bytes\""))), STR_NULL, STR(WORST_ONE), STR("\0"), 31990, false, NULL},
	{"avro: attributes to the bound", WORST_RECORD(WORST_FIELD("attributes", WORST_MAP("\"bytes\""))), STR("\xec\xf3\x03"), STR("\0\0"), STR("\0"), 31990, false, NULL},
	{"avro: maps of 17 blocks", WORST_RECORD(WORST_FIELD("attributes", WORST_MAP(WORST_MAP("\"bytes\"")))), STR("\xd8\x1b"), STR("\0" WORST_17 "\0"), STR("\0"), 1772, false, NULL},
	{"avro: maps of 65 blocks", WORST_RECORD(WORST_FIELD("attributes", WORST_MAP(WORST_MAP("\"bytes\"")))), STR("\xc8\x07"), STR("\0" WORST_65 "\0"), STR("\0"), 484, false, NULL},
	{"avro: maps of 9", WORST_RECORD(WORST_FIELD("attributes", WORST_MAP(WORST_MAP("\"bytes\"")))), STR("\xa4\x31"),
	 STR("\0\x12\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), STR("\0"), 3154, false, NULL},
	{"avro: one long text", WORST_RECORD(WORST_FIELD("prompt", "\"string\"")), STR("\x80\xe0\x7f"), STR("\xc3\xa9"), STR(""), 523264, false, NULL},
	{"avro: a text that claims a gigabyte", WORST_RECORD(WORST_FIELD("prompt", "\"string\"")), STR("\x80\x80\x80\x80\x08"), STR("x"), STR(""), 0, false, NULL},
	{"avro: texts skipped", WORST_RECORD(WORST_FIELD("l", WORST_LIST("\"string\""))), STR("\xe0\xff\x7f"), STR("\0"), STR("\0"), 1048560, false, NULL},
	{"avro: unions skipped", WORST_RECORD(WORST_FIELD("l", WORST_LIST("[\"null\",\"int\"]"))), STR("\xe0\xff\x7f"), STR("\0"), STR("\0"), 1048560, false, NULL},
};

static inline struct settings worst_settings(const struct worst *w)
{
	static struct model_settings models[] = {{.name = {"small", 5}}};
	struct settings s = {.models = models, .model_count = 1};
	s.input.format = FORMAT_AUTO;
	s.input.max_bytes = 4 << 20;
	s.input.field_prompt = str_of(w->prompt);
	s.output.format = FORMAT_JSON;
	s.output.max_bytes = 1000000;
	s.output.responses = STR("out");
	s.output.decisions = STR("audit");
	s.registry.url = STR("http://127.0.0.1:1");
	return s;
}

/* The record's bytes, WORST_BYTES or fewer where the times are bounded; free() them. */
static inline struct str worst_value(const struct worst *w)
{
	struct str framing = w->schema != NULL ? STR("\0\0\0\0\7") : STR("");
	char *data = heap_alloc(WORST_BYTES), *p = data;
	memcpy(p, framing.data, framing.len);
	p += framing.len;
	if (w->head.len != 0)
		memcpy(p, w->head.data, w->head.len);
	p += w->head.len;
	size_t unit = w->unit.len + (w->numbered ? 5 : 0); /* six digits for the # */
	for (uint32_t n = 0; (w->times == 0 || n < w->times) && (size_t)(p - data) + unit + w->tail.len <= WORST_BYTES; n++) {
		const char *mark = w->numbered ? memchr(w->unit.data, '#', w->unit.len) : NULL;
		size_t before = mark != NULL ? (size_t)(mark - w->unit.data) : w->unit.len;
		memcpy(p, w->unit.data, before);
		p += before;
		if (mark == NULL)
			continue;
		for (uint32_t digit = 100000; digit != 0; digit /= 10)
			*p++ = (char)('0' + n / digit % 10);
		memcpy(p, mark + 1, w->unit.len - before - 1);
		p += w->unit.len - before - 1;
	}
	memcpy(p, w->tail.data, w->tail.len);
	return (struct str){data, (size_t)(p - data) + w->tail.len};
}

static inline struct wire *worst_open(const struct worst *w, const struct settings *settings)
{
	struct wire *wire = NULL;
	struct err err = {""};
	if (wire_open(settings, NULL, &wire, &err) != RC_OK ||
	    (w->schema != NULL && registry_learn(wire->registry, WORST_SCHEMA_ID, str_of(w->schema), 0, &err) != RC_OK)) {
		(void)fprintf(stderr, "%s: %s\n", w->name, err.text); /* about to die */
		abort();
	}
	return wire;
}

/* Decodes into a job that the caller frees (arena_free(&job->arena)). */
static inline enum rc worst_decode(struct wire_coder *coder, struct str value, struct job *job, enum outcome *ret_outcome, struct err *err)
{
	*job = (struct job){.state = JOB_FETCHED};
	arena_init(&job->arena, 4096);
	job->rec = (struct record){.topic = STR("in"), .partition = 3, .offset = 41, .timestamp_ms = 1700000000000, .key = STR("k"), .value = value};
	*ret_outcome = OUTCOME_NONE;
	return wire_decode(coder, job, ret_outcome, err);
}

#endif
