/*
 * repair.h: makes a model's answer readable where its server broke the encoding. Pure. Thread: the arena's owner.
 */
#ifndef UPSTREAM_REPAIR_H
#define UPSTREAM_REPAIR_H

#include "common/arena.h"

/* JSON text with each run of invalid UTF-8 as U+FFFD and each lone surrogate escape as \ufffd. Returns text itself when
 * there is nothing to repair. */
struct str repair_json(struct str text, struct arena *arena);
/* One line for a person: valid UTF-8, control characters as spaces, at most max_bytes. */
struct str repair_line(struct str text, size_t max_bytes, struct arena *arena);

#endif
