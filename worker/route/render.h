/*
 * render.h: a route's prompt template.
 * Thread: any.
 */
#ifndef ROUTE_RENDER_H
#define ROUTE_RENDER_H

#include "common/err.h"
#include "worker/job/job.h"

/* Checks a template: {text}, {tenant}, {id}, {attributes.NAME}; {{ and }} are braces. RC_BAD_INPUT says what is wrong. */
enum rc render_check(struct str template, struct err *err);
/* Fills it. What is inserted is never looked at again, so a prompt that holds "{id}" stays as it is. */
struct str render_template(struct str template, struct str text, const struct request *req, struct arena *arena);

#endif
