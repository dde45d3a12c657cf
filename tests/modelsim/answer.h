/*
 * answer.h: bodies of requests and answers in OpenAI's formats.
 *
 * Thread: one. Memory: what is written goes into the caller's buf; a parsed request lives in the arena.
 */
#ifndef MODELSIM_ANSWER_H
#define MODELSIM_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/str.h"
#include "tests/modelsim/behaviour.h"

struct json_tokener;

struct question {
	struct str model;
	struct str *texts; /* a chat's messages (content only), or the inputs of an embedding request */
	uint32_t text_count;
	int64_t max_tokens; /* 0: not given */
	int64_t dimensions; /* of an embedding; 0: not given */
	uint64_t hash;      /* of model and texts: what the answer is made from */
	int64_t tokens;     /* about one for four characters */
	struct str *routes; /* that a schema lets it choose from (router.h) */
	uint32_t route_count; /* 0: it is no router's question */
	struct str routed;  /* the text that a route is asked for */
	bool logprobs;      /* are asked for */
};

/* The tokener is reused from call to call. On failure ret_why says in English what is wrong. */
bool question_parse_chat(struct json_tokener *tokener, struct arena *arena, struct str body, struct question *ret,
                         const char **ret_why);
bool question_parse_embeddings(struct json_tokener *tokener, struct arena *arena, struct str body, struct question *ret,
                               const char **ret_why);

/* ret_tokens: how many the answer has. number makes its id. */
void answer_write_chat(struct buf *out, const struct question *question, const struct plan *plan, uint64_t number,
                       int64_t *ret_tokens);
void answer_write_embeddings(struct buf *out, const struct question *question, const struct plan *plan);
void answer_write_error(struct buf *out, unsigned status, const char *message);

#endif
