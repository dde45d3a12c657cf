/*
 * registry.c: the table of schema ids.
 *
 * The one idea: a record never waits in here. Deciders look an id up and go on; the one control thread takes what is wanted,
 * asks the registry and writes down what it said, each id once however many records want it. Time comes in as an argument.
 *
 * An id comes from a record's bytes, so anyone can invent ids: the table is bounded, and when it is full those that were
 * never answered make room.
 */
#include "worker/wire/registry.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = REGISTRY_MAX_IDS * 2, MAX_SCHEMA_MEMORY = 64 * 1024 * 1024 };
#define SECOND INT64_C(1000000)
#define ASK_AGAIN (30 * SECOND) /* a negative answer holds so long; so does one that never came back */

enum entry_state { ENTRY_FREE, ENTRY_WANTED, ENTRY_KNOWN, ENTRY_NOT_FOUND, ENTRY_UNREADABLE };

struct entry {
	uint32_t id;
	enum entry_state state;
	bool given_up;            /* not found for longer than schema_missing_after */
	bool asked_for;           /* since the last request */
	unsigned failures;        /* in a row, of the registry */
	int64_t not_before_us;    /* the next request */
	int64_t missing_since_us; /* the first 404 */
	const struct avro_type *root;
};

struct output_schema {
	struct str subject, schema;
	bool registered;
	uint32_t id;
	unsigned failures, conflicts;
	int64_t not_before_us;
};

struct registry {
	pthread_mutex_t lock;
	struct entry entries[SLOTS]; /* open addressing; never more than half full */
	uint32_t count;
	struct output_schema outputs[REGISTRY_MAX_OUTPUTS];
	unsigned output_count;
	int64_t missing_after_us;
	struct arena schemas; /* of the control thread; what it wrote is read by all */
	char last_refusal[256];
};

struct registry *registry_new(const struct settings *settings)
{
	struct registry *r = heap_zalloc(1, sizeof *r);
	pthread_mutex_init(&r->lock, NULL);
	r->missing_after_us = settings->input.schema_missing_after_ms * 1000;
	arena_init(&r->schemas, 65536);
	return r;
}

void registry_free(struct registry *r)
{
	if (r == NULL)
		return;
	arena_free(&r->schemas);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void registry_add_output(struct registry *r, struct str subject, struct str schema)
{
	r->outputs[r->output_count++] = (struct output_schema){.subject = subject, .schema = schema};
}

bool registry_output_id(struct registry *r, unsigned output, uint32_t *ret)
{
	bool registered = false;
	pthread_mutex_lock(&r->lock);
	if (output < r->output_count && (registered = r->outputs[output].registered))
		*ret = r->outputs[output].id;
	pthread_mutex_unlock(&r->lock);
	return registered;
}

/* The id's entry, or the free one where it would be. */
static struct entry *at(struct registry *r, uint32_t id)
{
	uint32_t i = (id * UINT32_C(2654435761)) % SLOTS;
	while (r->entries[i].state != ENTRY_FREE && r->entries[i].id != id)
		i = (i + 1) % SLOTS;
	return &r->entries[i];
}

/* Forgets every id that was never found. */
static void make_room(struct registry *r)
{
	struct entry *old = heap_alloc(sizeof r->entries);
	memcpy(old, r->entries, sizeof r->entries);
	memset(r->entries, 0, sizeof r->entries);
	r->count = 0;
	for (unsigned i = 0; i < SLOTS; i++) {
		if (old[i].state != ENTRY_KNOWN)
			continue;
		*at(r, old[i].id) = old[i];
		r->count++;
	}
	free(old);
}

static void want(struct registry *r, uint32_t id)
{
	struct entry *e = at(r, id);
	if (e->state == ENTRY_FREE) {
		if (r->count == REGISTRY_MAX_IDS) {
			make_room(r);
			e = at(r, id);
		}
		if (r->count == REGISTRY_MAX_IDS)
			return;
		r->count++;
		*e = (struct entry){.id = id, .state = ENTRY_WANTED};
	}
	e->asked_for = true;
}

void registry_want(struct registry *r, uint32_t id, int64_t now_us)
{
	(void)now_us; /* when to ask is kept in the entry */
	pthread_mutex_lock(&r->lock);
	want(r, id);
	pthread_mutex_unlock(&r->lock);
}

enum schema_state registry_find(struct registry *r, uint32_t id, const struct avro_type **ret)
{
	enum schema_state state = SCHEMA_UNKNOWN;
	pthread_mutex_lock(&r->lock);
	struct entry *e = at(r, id);
	if (e->state == ENTRY_KNOWN) {
		*ret = e->root;
		state = SCHEMA_KNOWN;
	} else if (e->given_up || e->state == ENTRY_UNREADABLE) {
		e->asked_for = true; /* it may have been registered since: one request each half minute */
		state = SCHEMA_MISSING;
	}
	pthread_mutex_unlock(&r->lock);
	return state;
}

enum schema_state registry_state(struct registry *r, uint32_t id, int64_t now_us)
{
	enum schema_state state = SCHEMA_UNKNOWN;
	pthread_mutex_lock(&r->lock);
	struct entry *e = at(r, id);
	if (e->state == ENTRY_KNOWN)
		state = SCHEMA_KNOWN;
	else if (e->state == ENTRY_UNREADABLE)
		state = SCHEMA_MISSING;
	else if (e->state == ENTRY_NOT_FOUND && (e->given_up || now_us - e->missing_since_us >= r->missing_after_us))
		state = SCHEMA_MISSING;
	if (state == SCHEMA_MISSING)
		e->given_up = true;
	pthread_mutex_unlock(&r->lock);
	return state;
}

bool registry_wanted(struct registry *r, int64_t now_us, struct wire_want *ret)
{
	bool found = false;
	pthread_mutex_lock(&r->lock);
	for (unsigned i = 0; i < r->output_count && !found; i++) {
		struct output_schema *o = &r->outputs[i];
		if (o->registered || o->not_before_us > now_us)
			continue;
		o->not_before_us = now_us + ASK_AGAIN;
		*ret = (struct wire_want){.subject = o->subject, .schema = o->schema};
		found = true;
	}
	for (unsigned i = 0; i < SLOTS && !found; i++) {
		struct entry *e = &r->entries[i];
		if (e->state == ENTRY_FREE || e->state == ENTRY_KNOWN || !e->asked_for || e->not_before_us > now_us)
			continue;
		/* one that waits asks again by itself: the stream has stopped reading its partition */
		e->asked_for = !e->given_up && e->state != ENTRY_UNREADABLE;
		e->not_before_us = now_us + ASK_AGAIN;
		*ret = (struct wire_want){.schema_id = e->id};
		found = true;
	}
	pthread_mutex_unlock(&r->lock);
	return found;
}

enum rc registry_learn(struct registry *r, uint32_t id, struct str schema_text, int64_t now_us, struct err *err)
{
	struct avro_schema schema;
	enum rc rc = r->schemas.total_bytes > MAX_SCHEMA_MEMORY
	                 ? err_set(err, RC_BAD_INPUT, "the schemas read so far use more than %d bytes", MAX_SCHEMA_MEMORY)
	                 : avro_schema_parse(&r->schemas, schema_text, &schema, err);
	if (rc != RC_OK) {
		registry_refuse(r, &(struct wire_want){.schema_id = id}, REGISTRY_UNREADABLE, now_us, err != NULL ? err->text : "");
		return rc;
	}
	pthread_mutex_lock(&r->lock);
	want(r, id);
	struct entry *e = at(r, id);
	if (e->state != ENTRY_FREE) {
		e->state = ENTRY_KNOWN;
		e->root = schema.root;
	}
	pthread_mutex_unlock(&r->lock);
	return RC_OK;
}

void registry_learn_output(struct registry *r, struct str subject, uint32_t id)
{
	pthread_mutex_lock(&r->lock);
	for (unsigned i = 0; i < r->output_count; i++) {
		if (!str_eq(r->outputs[i].subject, subject))
			continue;
		r->outputs[i].registered = true;
		r->outputs[i].id = id;
	}
	pthread_mutex_unlock(&r->lock);
}

/* 1, 2, 4, 8, then 10 seconds: a registry that is away is looked after soon, but not hammered. */
static int64_t backoff(unsigned failures)
{
	return failures < 4 ? SECOND << failures : 10 * SECOND;
}

/* A conflict may come of two workers that register the same schema at the same moment, and is over a moment later: it is
 * believed when it has come five times, after pauses of 1/4, 1/2, 1 and 2 seconds. */
static int64_t conflict_pause(unsigned conflicts)
{
	return conflicts < 4 ? SECOND / 4 << conflicts : ASK_AGAIN;
}

static void refuse_output(struct output_schema *o, enum registry_refusal why, int64_t now_us)
{
	if (why == REGISTRY_AWAY)
		o->not_before_us = now_us + backoff(o->failures++);
	else
		o->not_before_us = now_us + (why == REGISTRY_CONFLICT ? conflict_pause(o->conflicts++) : ASK_AGAIN);
}

void registry_refuse(struct registry *r, const struct wire_want *wanted, enum registry_refusal why, int64_t now_us, const char *words)
{
	pthread_mutex_lock(&r->lock);
	if (wanted->schema.data != NULL) {
		(void)snprintf(r->last_refusal, sizeof r->last_refusal, "%s", words); /* cut is fine */
		for (unsigned i = 0; i < r->output_count; i++)
			if (str_eq(r->outputs[i].subject, wanted->subject))
				refuse_output(&r->outputs[i], why, now_us);
	} else {
		want(r, wanted->schema_id);
		struct entry *e = at(r, wanted->schema_id);
		if (e->state != ENTRY_FREE && e->state != ENTRY_KNOWN) {
			e->not_before_us = now_us + (why == REGISTRY_AWAY ? backoff(e->failures++) : ASK_AGAIN);
			if (why == REGISTRY_UNREADABLE)
				e->state = ENTRY_UNREADABLE;
			if (why == REGISTRY_NOT_FOUND && e->state != ENTRY_NOT_FOUND) {
				e->state = ENTRY_NOT_FOUND;
				e->missing_since_us = now_us;
			}
			if (why == REGISTRY_NOT_FOUND) {
				e->failures = 0;
				e->given_up |= now_us - e->missing_since_us >= r->missing_after_us;
			}
			if (e->given_up || e->state == ENTRY_UNREADABLE)
				e->asked_for = false;
		}
	}
	pthread_mutex_unlock(&r->lock);
}

enum rc registry_ready(struct registry *r, struct err *err)
{
	enum rc rc = RC_OK;
	pthread_mutex_lock(&r->lock);
	for (unsigned i = 0; i < r->output_count && rc == RC_OK; i++)
		if (!r->outputs[i].registered)
			rc = err_set(err, RC_AGAIN, "the schema registry has not taken the schema of %.*s yet%s%s", STR_ARG(r->outputs[i].subject),
			             r->last_refusal[0] != '\0' ? ": " : "", r->last_refusal);
	pthread_mutex_unlock(&r->lock);
	return rc;
}
