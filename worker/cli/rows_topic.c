/*
 * rows_topic.c: rows from a topic, decoded as the worker decodes its input.
 */
#include <inttypes.h>

#include "common/clock.h"
#include "worker/cli/rows_keep.h"
#include "worker/stream/span.h"
#include "worker/wire/read_back.h"

enum { BAD_SHOWN = 20, IDLE_MS = 90 * 1000, REGISTRY_MAX_BODY = 4 * 1024 * 1024 };

struct reading {
	const struct rows_asked *asked;
	struct rows_keep *keep;
	struct span *span;
	struct wire_coder *coder;
	struct http *http;
	struct arena arena; /* of one record */
	struct cli_progress bar;
	int64_t bad;
	struct err *err;
};

/* RC_UNAVAILABLE: the registry cannot be asked; all else is about this record. */
static enum rc decode(struct reading *r, struct job *job, struct err *why)
{
	enum outcome ignored; /* why says it in words */
	enum rc rc = wire_decode(r->coder, job, &ignored, why);
	if (rc != RC_AGAIN)
		return rc;
	rc = read_back_schema(r->coder, r->http, job->rec.value, clock_mono_us(), why);
	return rc == RC_OK ? wire_decode(r->coder, job, &ignored, why) : rc;
}

static bool see(void *ctx, const struct span_record *record, int64_t done)
{
	struct reading *r = ctx;
	const struct span_part *part = span_part(r->span, record->part);
	struct err why;
	cli_progress_at(&r->bar, done);
	arena_reset(&r->arena);
	struct job job = {.state = JOB_FETCHED, .arena = r->arena, .dec = {.route = -1}, .call = {.model = -1}};
	job.rec = (struct record){.topic = str_of(part->topic), .partition = part->partition, .offset = record->offset,
	                          .timestamp_ms = record->timestamp_ms, .value = record->value};
	enum rc rc = record->value.len > r->asked->settings->input.max_bytes ? err_set(&why, RC_BAD_INPUT, "it is over input.max_bytes")
	                                                                     : decode(r, &job, &why);
	if (rc == RC_OK)
		rows_keep_add(r->keep, record->part, &(struct dataset_row){.line = (uint64_t)record->offset, .req = job.req});
	else if (rc != RC_UNAVAILABLE && r->bad++ < BAD_SHOWN)
		fprintf(stderr, "%s-%d@%" PRId64 ": left out: %s\n", part->topic, (int)part->partition, record->offset, why.text);
	r->arena = job.arena;
	if (rc == RC_UNAVAILABLE)
		*r->err = why;
	return rc != RC_UNAVAILABLE;
}

static enum rc read_span(struct reading *r, struct err *err)
{
	enum rc rc = span_open(r->asked->settings, &r->span, err);
	if (rc == RC_OK)
		rc = span_add(r->span, r->asked->topic, 0, r->asked->since_ms, r->asked->until_ms, err);
	if (rc != RC_OK)
		return rc;
	cli_progress_begin(&r->bar, "reading", span_total(r->span));
	rc = span_read(r->span, 0, IDLE_MS, see, r, err);
	cli_progress_end(&r->bar);
	return rc;
}

int rows_read_topic(const struct rows_asked *asked, struct rows_keep *k, int64_t *ret_bad)
{
	struct wire *wire = NULL;
	struct err err;
	struct reading r = {.asked = asked, .keep = k, .err = &err};
	enum rc rc = wire_open(asked->settings, NULL, &wire, &err);
	arena_init(&r.arena, 1 << 16);
	if (rc == RC_OK) {
		r.coder = wire_coder_new(wire);
		r.http = http_new(asked->settings->registry.timeout_ms, REGISTRY_MAX_BODY);
		rc = read_span(&r, &err);
	}
	*ret_bad = r.bad;
	span_close(r.span);
	http_free(r.http);
	wire_coder_free(r.coder);
	wire_close(wire);
	arena_free(&r.arena);
	return rc == RC_OK ? EXIT_DONE : cli_fail(&err, rc == RC_BAD_INPUT ? EXIT_CONFIG : EXIT_FAILED);
}
