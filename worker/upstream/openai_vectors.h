/*
 * openai_vectors.h: the numbers in OpenAI's answers: embeddings, and log-probabilities of tokens. For provider_openai.c.
 * Thread: any; memory is the given arena's.
 */
#ifndef UPSTREAM_OPENAI_VECTORS_H
#define UPSTREAM_OPENAI_VECTORS_H

#include "common/json.h"
#include "worker/upstream/provider.h"

/* The embedding of the one text asked for: a list of numbers, or base64 of little-endian floats. RC_BAD_INPUT: it is missing, not
 * finite, or has no or more than CALL_MAX_VECTOR values. */
enum rc openai_vector(const struct json *root, struct arena *scratch, struct provider_answer *ret, struct err *err);

/* The tokens of a choice, as far as they are well formed; none is no error, for many servers offer none. */
void openai_logprobs(const struct json *choice, struct arena *scratch, struct provider_answer *ret);

#endif
