/*
 * provider.h: what a provider's format is to a pool: three functions and a path. A new provider is one file with one
 * `const struct provider` and a line in upstream.c.
 *
 * Thread: any; memory is the given arena's.
 */
#ifndef UPSTREAM_PROVIDER_H
#define UPSTREAM_PROVIDER_H

#include "common/arena.h"
#include "common/err.h"
#include "worker/job/job.h"
#include "worker/job/settings.h"

struct provider_answer {
	struct str text; /* UTF-8 without NUL */
	struct str finish_reason, id;
	int64_t input_tokens, cached_tokens, output_tokens;
	bool has_usage;
	const struct token_logprob *tokens; /* of the text, from its start; at most CALL_MAX_TOKENS */
	uint32_t token_count;
	const float *vector; /* of an embedding: 1 to CALL_MAX_VECTOR finite values */
	uint32_t vector_len;
};

struct provider_error {
	struct str message; /* for a person; bounded, UTF-8, one line */
	bool hopeless;      /* the status says try again, the body says it will not help (a spent quota) */
};

struct provider {
	const char *name;
	/* The whole URL of a call, the configured query included. Two purposes share one, or have one for PURPOSE_EMBED. */
	struct str (*url)(const struct model_settings *model, enum purpose purpose, struct arena *arena);
	/* "Name: value" strings of every call, NULL-terminated. */
	const char *const *(*headers)(const struct model_settings *model, struct arena *arena);
	/* The same call gives the same bytes, always: the idempotency key depends on it. */
	struct str (*build_request)(const struct model_settings *model, const struct call *call, struct arena *arena);
	/* What it gives lives in scratch or in body. RC_BAD_INPUT: not what the format promises for the purpose. */
	enum rc (*parse_answer)(struct str body, enum purpose purpose, struct arena *scratch, struct provider_answer *ret, struct err *err);
	void (*classify_error)(int http_status, struct str body, struct arena *scratch, struct provider_error *ret);
};

extern const struct provider provider_openai;

#endif
