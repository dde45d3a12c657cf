/*
 * pack.c: a decision as bytes for the cache, and back.
 *
 * The one idea: names, not indexes, and a check over the whole, so that a value of another policy, another version or nobody
 * at all is recognised and becomes a miss. No text of the prompt is in it. Costs are not kept: a hit costs nothing.
 *
 * Layout: "PMD3", then fields, then 32 bits of FNV-1a over all before it (http://www.isthe.com/chongo/tech/comp/fnv, by words). A text is
 * its length in 2 bytes and its bytes, 0xFFFF for none; a number is the 8 bytes of the double; all little-endian.
 */
#include <math.h>

#include "worker/route/policy.h"

enum { MAX_PACKED = 4096, CHECK_BYTES = 4, ABSENT = 0xFFFF };
static const struct str magic = {"PMD3", 4};

/* Eight bytes a step: by single ones it would cost as much as all else that is done to read a value. */
static uint32_t check(struct str s)
{
	uint64_t h = UINT64_C(14695981039346656037), eight;
	for (; s.len >= sizeof eight; s.data += sizeof eight, s.len -= sizeof eight) {
		memcpy(&eight, s.data, sizeof eight);
		h = (h ^ eight) * UINT64_C(1099511628211);
	}
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.data[i]) * UINT64_C(1099511628211);
	return (uint32_t)(h ^ h >> 32);
}

static void put(struct buf *out, uint64_t n, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		buf_char(out, (char)(unsigned char)(n >> (8 * i)));
}

static void put_str(struct buf *out, struct str s)
{
	size_t n = str_utf8_cut(s, POLICY_MAX_REASON);
	put(out, s.data == NULL ? ABSENT : n, 2);
	if (s.data != NULL)
		buf_add(out, s.data, n);
}

static void put_double(struct buf *out, double d)
{
	uint64_t bits;
	memcpy(&bits, &d, sizeof bits);
	put(out, bits, 8);
}

struct str route_pack(const struct policy *policy, const struct job *job)
{
	(void)policy; /* the decision names everything */
	const struct decision *dec = &job->dec;
	if (dec->route < 0 || dec->degraded || dec->uncacheable)
		return STR_NULL;
	struct buf out;
	buf_init(&out, (struct arena *)&job->arena, 512); /* the caller owns the job; only its arena grows */
	buf_str(&out, magic);
	put_str(&out, dec->route_name);
	put_str(&out, str_of(dec->stage));
	put_str(&out, dec->label);
	put_str(&out, dec->runner_up);
	put_str(&out, dec->group_id);
	put_double(&out, dec->confidence);
	put_double(&out, dec->threshold);
	put_str(&out, dec->reason);
	put(&out, dec->unsure, 1);
	put_str(&out, dec->unsure_reason);
	put(&out, dec->trace_count, 1);
	for (uint32_t i = 0; i < dec->trace_count; i++) {
		const struct stage_trace *t = &dec->trace[i];
		put_str(&out, str_of(t->stage));
		put(&out, (uint64_t)t->verdict, 1);
		put_str(&out, t->label);
		put_str(&out, t->runner_up);
		put_double(&out, t->score);
		put_double(&out, t->runner_up_score);
		put_double(&out, t->threshold);
		put_str(&out, t->asset_version);
		put_str(&out, t->reason);
	}
	put(&out, check(buf_view(&out)), CHECK_BYTES);
	return out.len <= MAX_PACKED ? buf_view(&out) : STR_NULL;
}

/* Reads forward; the first thing that does not fit makes it bad for good. */
struct reader {
	struct str s;
	size_t at;
	bool bad;
	struct arena *arena;
};

static uint64_t get(struct reader *r, unsigned bytes)
{
	if (r->bad || r->s.len - r->at < bytes) {
		r->bad = true;
		return 0;
	}
	uint64_t n = 0;
	for (unsigned i = 0; i < bytes; i++)
		n |= (uint64_t)(unsigned char)r->s.data[r->at + i] << (8 * i);
	r->at += bytes;
	return n;
}

static struct str get_str(struct reader *r)
{
	uint64_t n = get(r, 2);
	if (r->bad || n == ABSENT)
		return STR_NULL;
	if (n > POLICY_MAX_REASON || n > r->s.len - r->at) {
		r->bad = true;
		return STR_NULL;
	}
	struct str s = {r->s.data + r->at, (size_t)n};
	r->at += (size_t)n;
	if (!str_utf8_valid(s)) {
		r->bad = true;
		return STR_NULL;
	}
	return arena_str(r->arena, s);
}

static double get_double(struct reader *r)
{
	uint64_t bits = get(r, 8);
	double d;
	memcpy(&d, &bits, sizeof d);
	return isinf(d) ? NAN : d;
}

/* The constant name of a stage of this policy, or when_unsure. */
static const char *get_stage(struct reader *r, const struct policy *policy)
{
	struct str name = get_str(r);
	for (uint32_t i = 0; i < policy->stage_count; i++)
		if (str_is(name, policy->stages[i].ops->name))
			return policy->stages[i].ops->name;
	if (!str_is(name, ROUTE_WHEN_UNSURE))
		r->bad = true;
	return ROUTE_WHEN_UNSURE;
}

static void get_trace(struct reader *r, const struct policy *policy, struct decision *dec)
{
	uint64_t n = get(r, 1);
	if (n > POLICY_MAX_STAGES)
		r->bad = true;
	if (r->bad)
		return;
	dec->trace = arena_array(r->arena, (size_t)n, sizeof *dec->trace);
	dec->trace_count = (uint32_t)n;
	for (uint32_t i = 0; i < dec->trace_count && !r->bad; i++) {
		struct stage_trace *t = &dec->trace[i];
		t->stage = get_stage(r, policy);
		uint64_t verdict = get(r, 1);
		r->bad |= verdict > VERDICT_FAILED || verdict == VERDICT_ASK;
		t->verdict = (enum verdict)verdict;
		t->label = get_str(r);
		t->runner_up = get_str(r);
		t->score = get_double(r);
		t->runner_up_score = get_double(r);
		t->threshold = get_double(r);
		t->in_scope = NAN; /* for measuring only: not kept */
		t->asset_version = get_str(r);
		t->reason = get_str(r);
	}
}

enum rc route_unpack(const struct policy *policy, struct str value, struct job *job)
{
	if (value.len < magic.len + CHECK_BYTES || value.len > MAX_PACKED || !str_starts(value, magic))
		return RC_BAD_INPUT;
	struct reader r = {{value.data, value.len - CHECK_BYTES}, magic.len, false, &job->arena};
	struct reader tail = {value, value.len - CHECK_BYTES, false, NULL};
	if (get(&tail, CHECK_BYTES) != check(r.s))
		return RC_BAD_INPUT;
	struct decision dec = job->dec;
	dec.route = policy_find_route(policy, get_str(&r));
	if (r.bad || dec.route < 0)
		return RC_BAD_INPUT;
	dec.route_name = policy->routes[dec.route].name;
	dec.prompt_version = policy->routes[dec.route].prompt_version;
	dec.stage = get_stage(&r, policy);
	dec.label = get_str(&r);
	dec.runner_up = get_str(&r);
	dec.group_id = get_str(&r);
	dec.confidence = get_double(&r);
	dec.threshold = get_double(&r);
	dec.reason = get_str(&r);
	uint64_t unsure = get(&r, 1);
	dec.unsure = unsure == 1;
	dec.unsure_reason = get_str(&r);
	get_trace(&r, policy, &dec);
	if (r.bad || unsure > 1 || r.at != r.s.len)
		return RC_BAD_INPUT;
	dec.cost_usd = 0;
	job->dec = dec;
	return RC_OK;
}
