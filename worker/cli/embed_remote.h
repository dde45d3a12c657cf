/*
 * embed_remote.h: vectors of texts from an embedding model of the configuration, one call at a time. A guard that keeps a record from
 * the model keeps it from it here as well.
 *
 * Thread: main. Blocking.
 */
#ifndef CLI_EMBED_REMOTE_H
#define CLI_EMBED_REMOTE_H

#include "worker/route/route.h"

struct embed_remote {
	const struct settings *settings;
	const struct policy *policy;
	struct route_scratch *scratch;
	uint16_t model;
	uint32_t dim; /* 0 until the first answer */
	int64_t calls, kept_back, input_tokens; /* kept_back: by guards */
	double cost_usd;
};

/* name: of a model. EXIT_DONE, or it was said what is wrong. Borrows settings and policy. */
int embed_remote_open(struct embed_remote *r, const struct settings *settings, const struct policy *policy, const char *name);
void embed_remote_close(struct embed_remote *r);
/* job: its request is filled; its arena grows. *ret_vector: dim floats; NULL: the text is empty, or a guard keeps it back.
 * RC_BAD_INPUT: the model refused this text. RC_UNAVAILABLE: it gave none, after repetitions. */
enum rc embed_remote_vector(struct embed_remote *r, struct job *job, const float **ret_vector, struct err *err);

#endif
