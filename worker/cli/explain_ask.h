/*
 * explain_ask.h: the questions that a decision would put to models, told or really put, for `explain`.
 * Thread: main.
 */
#ifndef CLI_EXPLAIN_ASK_H
#define CLI_EXPLAIN_ASK_H

#include "worker/route/route.h"

enum { EXPLAIN_MAX_QUESTIONS = 8 };

struct question {
	const char *stage;
	uint16_t model;
	bool embedding, asked;
	int64_t input_tokens, output_tokens; /* asked: as they were; else an estimate, and the most */
	double cost_usd;
};
struct questions {
	struct question items[EXPLAIN_MAX_QUESTIONS];
	uint32_t count;
	bool open; /* some were not put: the decision is the one that is made without an answer */
};

/* Decides to the end, as the worker would. ask: models are called, and cost. */
void explain_decide(const struct settings *settings, bool ask, const struct policy *policy, struct route_scratch *scratch,
                    struct job *job, struct questions *ret);
void explain_say_questions(const struct settings *settings, const struct questions *questions, struct buf *out);
void explain_json_questions(const struct settings *settings, const struct questions *questions, struct buf *out);

#endif
