/*
 * llm_prompt.h: what a model is told that is to choose a route. Pure.
 * Thread: any; memory is the arena given.
 */
#ifndef ROUTE_LLM_PROMPT_H
#define ROUTE_LLM_PROMPT_H

#include "common/arena.h"
#include "common/err.h"
#include "worker/route/route.h"

/* The system message: the operator's file with {routes} filled in, and how to read and to answer. RC_BAD_INPUT: what is wrong with
 * the file, in words. */
enum rc llm_prompt_system(struct str file, const struct route *const *routes, uint32_t count, struct arena *arena, struct str *ret,
                          struct err *err);
/* The response_format that lets a server only give one of the names. */
struct str llm_prompt_format(const struct route *const *routes, uint32_t count, struct arena *arena);
/* The user message: the text as a string in an object, in which nothing ends the string or stands for a server's control token. */
struct str llm_prompt_text(struct str text, struct arena *arena);

#endif
