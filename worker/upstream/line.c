/*
 * line.c: a binary heap in an array.
 *
 * The one idea: entries carry their keys, so ordering, expiring and counting never touch a job's memory. Deadlines are
 * watched by a lower bound: popping may leave it too early, which costs one look over the array, never a late answer.
 */
#include "worker/upstream/line.h"

#include <stdlib.h>

#include "common/arena.h"

static bool before(const struct line_entry *a, const struct line_entry *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank;
	if (a->deadline_us != b->deadline_us)
		return a->deadline_us < b->deadline_us;
	if (a->age_us != b->age_us)
		return a->age_us < b->age_us;
	return a->turn < b->turn;
}

static void sift_up(struct line *line, size_t i)
{
	struct line_entry e = line->heap[i];
	while (i > 0 && before(&e, &line->heap[(i - 1) / 2])) {
		line->heap[i] = line->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	line->heap[i] = e;
}

static void sift_down(struct line *line, size_t i)
{
	struct line_entry e = line->heap[i];
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= line->count)
			break;
		if (child + 1 < line->count && before(&line->heap[child + 1], &line->heap[child]))
			child++;
		if (!before(&line->heap[child], &e))
			break;
		line->heap[i] = line->heap[child];
		i = child;
	}
	line->heap[i] = e;
}

void line_free(struct line *line)
{
	free(line->heap);
	*line = (struct line){0};
}

void line_push(struct line *line, int64_t rank, int64_t deadline_us, int64_t age_us, struct job *job)
{
	if (line->count == line->cap) {
		line->cap = line->cap == 0 ? 256 : line->cap * 2;
		line->heap = heap_resize(line->heap, line->cap, sizeof *line->heap);
	}
	int64_t deadline = deadline_us == 0 ? INT64_MAX : deadline_us;
	if (line->count == 0 || deadline < line->soonest_us)
		line->soonest_us = deadline;
	line->heap[line->count] = (struct line_entry){rank, deadline, age_us, line->turns++, job};
	sift_up(line, line->count++);
}

const struct line_entry *line_first(const struct line *line)
{
	return line->count == 0 ? NULL : &line->heap[0];
}

struct job *line_pop(struct line *line)
{
	if (line->count == 0)
		return NULL;
	struct job *job = line->heap[0].job;
	line->heap[0] = line->heap[--line->count];
	if (line->count > 0)
		sift_down(line, 0);
	return job;
}

void line_take_if(struct line *line, bool (*out)(void *ctx, const struct line_entry *entry), void *ctx, struct list *into)
{
	size_t kept = 0;
	line->soonest_us = INT64_MAX;
	for (size_t i = 0; i < line->count; i++) {
		struct line_entry e = line->heap[i];
		if (out(ctx, &e)) {
			list_push(into, &e.job->link);
			continue;
		}
		if (e.deadline_us < line->soonest_us)
			line->soonest_us = e.deadline_us;
		line->heap[kept++] = e;
	}
	line->count = kept;
	for (size_t i = kept / 2; i-- > 0;)
		sift_down(line, i);
}

static bool has_expired(void *ctx, const struct line_entry *entry)
{
	return entry->deadline_us <= *(const int64_t *)ctx;
}

void line_take_expired(struct line *line, int64_t now_us, struct list *into)
{
	if (now_us >= line_next_deadline(line))
		line_take_if(line, has_expired, &now_us, into);
}

int64_t line_next_deadline(const struct line *line)
{
	return line->count == 0 ? INT64_MAX : line->soonest_us;
}
