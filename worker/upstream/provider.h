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
};

struct provider_error {
	struct str message; /* for a person; bounded, UTF-8, one line */
	bool hopeless;      /* the status says try again, the body says it will not help (a spent quota) */
};

struct provider {
	const char *name;
	/* The whole URL of a call, the configured query included. */
	struct str (*url)(const struct model_settings *model, struct arena *arena);
	/* "Name: value" strings of every call, NULL-terminated. */
	const char *const *(*headers)(const struct model_settings *model, struct arena *arena);
	/* The same call gives the same bytes, always: the idempotency key depends on it. */
	struct str (*build_request)(const struct model_settings *model, const struct call *call, struct arena *arena);
	/* Texts live in scratch or in body. RC_BAD_INPUT: not what the format promises. */
	enum rc (*parse_answer)(struct str body, struct arena *scratch, struct provider_answer *ret, struct err *err);
	void (*classify_error)(int http_status, struct str body, struct arena *scratch, struct provider_error *ret);
};

extern const struct provider provider_openai;

#endif
