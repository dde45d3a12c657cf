/*
 * line.h: a waiting line of jobs: least rank first, then the nearest deadline, then the oldest. Pure but for its memory.
 *
 * The pool keeps two: those ready to go (rank: minus the priority) and those that wait for a time (rank: that time).
 * Thread: the owner. The line holds jobs but does not own their memory.
 */
#ifndef UPSTREAM_LINE_H
#define UPSTREAM_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/queue.h"
#include "worker/job/job.h"

struct line_entry {
	int64_t rank;
	int64_t deadline_us; /* INT64_MAX: none */
	int64_t age_us;      /* when it came into the worker */
	uint64_t turn;       /* order of arrival, where all else is equal */
	struct job *job;
};

struct line {
	struct line_entry *heap;
	size_t count, cap;
	uint64_t turns;
	int64_t soonest_us; /* no deadline in the line is earlier */
};

void line_free(struct line *line);
/* deadline_us 0: none. */
void line_push(struct line *line, int64_t rank, int64_t deadline_us, int64_t age_us, struct job *job);
const struct line_entry *line_first(const struct line *line); /* NULL when empty */
struct job *line_pop(struct line *line);                      /* NULL when empty */
/* Moves every job that out picks to into (by job->link), in no order. */
void line_take_if(struct line *line, bool (*out)(void *ctx, const struct line_entry *entry), void *ctx, struct list *into);
/* Moves those whose deadline has passed; looks at nothing while none can have. */
void line_take_expired(struct line *line, int64_t now_us, struct list *into);
/* When line_take_expired should look next: INT64_MAX for never. */
int64_t line_next_deadline(const struct line *line);

#endif
