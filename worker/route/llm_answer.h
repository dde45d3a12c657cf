/*
 * llm_answer.h: what a model says when it is asked for a route. Pure: bytes and names in, a choice or a fault out.
 *
 * Tolerant of fences and words around it; otherwise anything that is not exactly one choice among the names is a fault with its own
 * name. A route is never guessed.
 *
 * Thread: any; memory is the arena given.
 */
#ifndef ROUTE_LLM_ANSWER_H
#define ROUTE_LLM_ANSWER_H

#include "worker/job/job.h"

enum { LLM_ANSWER_MAX_BYTES = 16384 };

/* X(NAME, "name in metrics", "in words") */
#define LLM_FAULTS(X)                                                                                                  \
	X(EMPTY, "empty", "the answer is empty")                                                                           \
	X(TOO_LONG, "too_long", "the answer is longer than any choice of a route")                                         \
	X(TOO_MANY, "too_many", "the answer holds more pieces in braces than are looked at")                               \
	X(NO_OBJECT, "no_object", "the answer holds no JSON object")                                                       \
	X(BROKEN, "broken", "the answer holds an object with a route that is cut off or no JSON")                          \
	X(NO_ROUTE, "no_route", "the answer's object has no member \"route\"")                                             \
	X(WRONG_TYPE, "wrong_type", "the answer's route is not a text")                                                    \
	X(UNKNOWN_ROUTE, "unknown_route", "the answer names a route that is not in the list")                              \
	X(CONTRADICTION, "contradiction", "the answer names several routes")                                               \
	X(BAD_CONFIDENCE, "bad_confidence", "the answer's confidence is not a number from 0 to 1")                         \
	X(NO_CONFIDENCE, "no_confidence", "the answer has neither token probabilities nor a confidence")                   \
	X(ECHO, "echo", "the text itself names the route that the answer chose, as an answer would")

enum llm_fault {
	LLM_FINE,
#define X(NAME, name, words) LLM_##NAME,
	LLM_FAULTS(X)
#undef X
	LLM_FAULT_COUNT
};
const char *llm_fault_name(enum llm_fault fault);
const char *llm_fault_words(enum llm_fault fault);

struct llm_choice {
	uint32_t name;     /* index in names */
	double confidence; /* 0 to 1 */
	bool by_tokens;    /* the confidence is the probability of the name's tokens; else the model's own word */
};

/* tokens: of the answer, from its start; count 0: none. text: what was to be decided, as the model got it. ret is written with
 * LLM_FINE only. */
enum llm_fault llm_answer_read(struct str answer, const struct token_logprob *tokens, uint32_t token_count, const struct str *names,
                               uint32_t name_count, struct str text, struct arena *arena, struct llm_choice *ret);

#endif
