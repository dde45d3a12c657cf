/*
 * records.c: what a request and its response say.
 *
 * The one idea: the fields are told once, in the schema's order; JSON and Avro are two listeners. Durations come from the
 * monotonic marks on the job, wall-clock times from the one moment of writing, counted back.
 */
#include "worker/wire/records.h"

#include <math.h>

#include "worker/wire/tell.h"

static void tell_usage(struct sink *s, const struct call *call)
{
	if (call->model < 0 || call->outcome != OUTCOME_OK || call->attempt_count == 0) {
		s->null(s, "usage");
		return;
	}
	s->open_record(s, "usage");
	s->whole(s, "input_tokens", call->input_tokens);
	s->whole(s, "output_tokens", call->output_tokens);
	s->whole(s, "cached_tokens", call->cached_tokens);
	s->close(s);
}

static void tell_error(struct sink *s, const struct job *job)
{
	const struct outcome_info *info = outcome_info(job->outcome);
	if (info->status == STATUS_OK || info->status == STATUS_FORWARDED) {
		s->null(s, "error");
		return;
	}
	s->open_record(s, "error");
	s->text(s, "class", str_of(info->name));
	s->text(s, "message", tell_cut(job->error.data != NULL ? job->error : str_of(info->doc), TELL_MESSAGE_BYTES));
	s->truth(s, "retryable", info->retryable);
	s->close(s);
}

static int64_t ms_between(int64_t from_us, int64_t to_us)
{
	return from_us != 0 && to_us > from_us ? (to_us - from_us) / 1000 : 0;
}

static void tell_latency(struct sink *s, const struct telling *t)
{
	const struct job *job = t->job;
	int64_t queued = 0, here = ms_between(job->fetched_us, t->facts->now_us);
	if (job->rec.timestamp_type != 0 && job->rec.timestamp_ms > 0)
		queued = t->facts->now_ms - here - job->rec.timestamp_ms;
	if (job->origin.fetched_at_ms != 0) /* its own timestamp is that of the parking */
		queued = t->facts->now_ms - here - job->origin.fetched_at_ms;
	if (queued < 0) /* the producer's clock is ahead of ours */
		queued = 0;
	s->open_record(s, "latency_ms");
	s->whole(s, "queued", queued);
	s->whole(s, "deciding", ms_between(job->fetched_us, job->decided_us));
	s->whole(s, "waiting", ms_between(job->decided_us, job->called_us));
	s->whole(s, "calling", ms_between(job->called_us, job->answered_us));
	s->whole(s, "total", queued + here);
	s->close(s);
}

void tell_attributes(struct sink *s, const struct attribute *list, uint32_t count)
{
	s->open_map(s, "attributes");
	for (uint32_t i = 0; i < count; i++)
		s->entry(s, list[i].name, list[i].value);
	s->close(s);
}

void records_response(struct sink *s, const struct telling *t)
{
	const struct job *job = t->job;
	enum status status = outcome_info(job->outcome)->status;
	bool ok = status == STATUS_OK;
	s->text(s, "id", job->req.id);
	s->text(s, "tenant", tell_or_empty(job->req.tenant));
	s->symbol(s, "status", status_name(status), (int)status - STATUS_OK);
	s->symbol(s, "kind", t->facts->clarification ? "clarification" : "answer", t->facts->clarification);
	tell_attributes(s, job->req.attributes, t->brief ? 0 : job->req.attribute_count);
	s->text(s, "text", ok && !t->brief ? tell_or_empty(job->call.text) : STR_NULL);
	s->text(s, "finish_reason", ok ? job->call.finish_reason : STR_NULL);
	s->text(s, "model", ok ? tell_model(t->settings, job->call.model) : STR_NULL);
	s->text(s, "route", tell_or_empty(job->dec.route_name));
	s->text(s, "group_id", job->dec.group_id);
	tell_usage(s, &job->call);
	s->real(s, "cost_usd", job->decided_us != 0 ? job->dec.cost_usd + job->call.cost_usd : NAN);
	tell_error(s, job);
	tell_latency(s, t);
	s->text(s, "decision_id", str_of(job->dec.id));
	s->whole(s, "answered_at", t->facts->now_ms);
}

static void tell_messages(struct sink *s, const struct request *req)
{
	bool bare = req->message_count == 1 && str_is(req->messages[0].role, "user");
	s->text(s, "prompt", bare ? req->messages[0].content : STR_NULL);
	if (bare || req->message_count == 0) {
		s->null(s, "messages");
		return;
	}
	s->open_list(s, "messages");
	for (uint32_t i = 0; i < req->message_count; i++) {
		s->open_record(s, NULL);
		s->text(s, "role", req->messages[i].role);
		s->text(s, "content", req->messages[i].content);
		s->close(s);
	}
	s->close(s);
}

static void tell_embedding(struct sink *s, const struct request *req)
{
	if (req->embedding == NULL) {
		s->null(s, "embedding");
		return;
	}
	s->open_list(s, "embedding");
	for (uint32_t i = 0; i < req->embedding_len; i++)
		s->real(s, NULL, (double)req->embedding[i]);
	s->close(s);
}

static void tell_stop(struct sink *s, const struct request *req)
{
	if (req->stop_count == 0) {
		s->null(s, "stop");
		return;
	}
	s->open_list(s, "stop");
	for (uint32_t i = 0; i < req->stop_count; i++)
		s->text(s, NULL, req->stop[i]);
	s->close(s);
}

void tell_optional(struct sink *s, const char *name, int64_t n)
{
	if (n != 0)
		s->whole(s, name, n);
	else
		s->null(s, name);
}

void records_request(struct sink *s, const struct telling *t)
{
	const struct request *req = &t->job->req;
	s->text(s, "id", req->id);
	s->text(s, "tenant", req->tenant);
	s->text(s, "conversation_id", req->conversation_id);
	s->text(s, "job_id", req->job_id);
	tell_messages(s, req);
	tell_attributes(s, req->attributes, req->attribute_count);
	tell_embedding(s, req);
	tell_optional(s, "deadline", req->deadline_ms);
	s->whole(s, "priority", req->priority);
	tell_optional(s, "max_tokens", req->max_tokens);
	s->real(s, "temperature", req->temperature);
	tell_stop(s, req);
	s->text(s, "response_format", req->response_format);
	s->text(s, "route_hint", req->route_hint);
	s->text(s, "traceparent", req->traceparent);
}
