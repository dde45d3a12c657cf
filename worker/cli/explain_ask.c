/*
 * explain_ask.c: what would be asked, and by --ask the asking.
 *
 * The one idea: a question that is not put ends as one that nobody answered, so what follows it is what really follows when the model
 * is away; and the trace says "ask" where the answer would have stood.
 */
#include "worker/cli/explain_ask.h"

#include "common/json.h"
#include "worker/upstream/upstream.h"

enum { BYTES_A_TOKEN = 4 };

static void price(const struct settings *settings, const struct call *call, struct question *q)
{
	size_t bytes = 0;
	for (uint32_t i = 0; i < call->message_count; i++)
		bytes += call->messages[i].content.len;
	q->input_tokens = (int64_t)((bytes + BYTES_A_TOKEN - 1) / BYTES_A_TOKEN);
	q->output_tokens = q->embedding ? 0 : call->max_tokens;
	q->cost_usd = upstream_price(&settings->models[q->model], q->input_tokens, 0, q->output_tokens);
}

static struct question put(const struct settings *settings, bool ask, struct job *job)
{
	struct call *call = &job->call;
	struct question q = {.stage = job->dec.trace[job->dec.trace_count - 1].stage, .model = call->models[0],
	                     .embedding = call->purpose == PURPOSE_EMBED, .asked = ask};
	if (ask) {
		upstream_ask(settings, job);
		q.input_tokens = call->input_tokens;
		q.output_tokens = call->output_tokens;
		q.cost_usd = call->cost_usd;
	} else {
		price(settings, call, &q);
		call->outcome = OUTCOME_NO_MODEL;
		call->message = STR("not asked");
	}
	return q;
}

void explain_decide(const struct settings *settings, bool ask, const struct policy *policy, struct route_scratch *scratch,
                    struct job *job, struct questions *ret)
{
	*ret = (struct questions){.open = false};
	enum route_step step = route_decide(policy, scratch, job);
	uint32_t unasked[EXPLAIN_MAX_QUESTIONS], unasked_count = 0;
	while (step == ROUTE_ASK) {
		if (!ask && unasked_count < EXPLAIN_MAX_QUESTIONS)
			unasked[unasked_count++] = job->dec.trace_count - 1;
		struct question q = put(settings, ask, job);
		if (ret->count < EXPLAIN_MAX_QUESTIONS)
			ret->items[ret->count++] = q;
		ret->open |= !ask;
		step = route_resume(policy, scratch, job);
	}
	for (uint32_t i = 0; i < unasked_count; i++)
		job->dec.trace[unasked[i]].verdict = VERDICT_ASK;
}

void explain_say_questions(const struct settings *settings, const struct questions *questions, struct buf *out)
{
	for (uint32_t i = 0; i < questions->count; i++) {
		const struct question *q = &questions->items[i];
		buf_printf(out, "%s   %s: model %.*s%s, ", q->asked ? "asked     " : "would ask ", q->stage,
		           STR_ARG(settings->models[q->model].name), q->embedding ? " for an embedding" : "");
		if (q->asked)
			buf_printf(out, "%lld tokens in, %lld out, $%.6f\n", (long long)q->input_tokens, (long long)q->output_tokens, q->cost_usd);
		else
			buf_printf(out, "about %lld tokens in, at most %lld out, about $%.6f\n", (long long)q->input_tokens,
			           (long long)q->output_tokens, q->cost_usd);
	}
	if (questions->open)
		buf_cstr(out, "             the route above is the one without an answer; --ask asks\n");
}

void explain_json_questions(const struct settings *settings, const struct questions *questions, struct buf *out)
{
	json_member_bool(out, "without_answer", questions->open);
	json_key(out, "questions");
	buf_char(out, '[');
	for (uint32_t i = 0; i < questions->count; i++) {
		const struct question *q = &questions->items[i];
		buf_cstr(out, i == 0 ? "{" : ",{");
		json_member_str(out, "stage", str_of(q->stage));
		json_member_str(out, "model", settings->models[q->model].name);
		json_member_bool(out, "embedding", q->embedding);
		json_member_bool(out, "asked", q->asked);
		json_member_i64(out, "input_tokens", q->input_tokens);
		json_member_i64(out, "output_tokens", q->output_tokens);
		json_member_double(out, "cost_usd", q->cost_usd);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}
