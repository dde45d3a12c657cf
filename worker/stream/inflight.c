/*
 * inflight.c: the table of records in the worker.
 *
 * The one idea: one preallocated taken per job of the pool, in a list per partition; only orphans are hashed, so a record
 * costs a few pointer moves while nothing is wrong.
 */
#include "worker/stream/inflight.h"

#include <stdlib.h>

#include "worker/stream/partition.h"

void inflight_open(struct inflight *f, uint32_t max_jobs)
{
	uint32_t buckets = 64;
	while (buckets < max_jobs && buckets < (1u << 20))
		buckets *= 2;
	*f = (struct inflight){.mask = buckets - 1};
	f->all = heap_zalloc(max_jobs, sizeof *f->all);
	f->buckets = heap_zalloc(buckets, sizeof(struct taken *));
	for (uint32_t i = 0; i < max_jobs; i++) {
		f->all[i].next = f->free;
		f->free = &f->all[i];
	}
}

void inflight_close(struct inflight *f)
{
	free(f->all);
	free(f->buckets);
	*f = (struct inflight){0};
}

static struct taken **bucket_of(const struct inflight *f, const struct partition *partition, int64_t offset)
{
	uint64_t h = ((uint64_t)offset ^ (uint64_t)(uintptr_t)partition) * 0x9e3779b97f4a7c15u;
	return &f->buckets[(h >> 32) & f->mask];
}

struct taken *inflight_take(struct inflight *f, struct partition *partition, struct job *job, uint32_t epoch)
{
	struct taken *t = f->free; /* never NULL: one per job */
	f->free = t->next;
	*t = (struct taken){.job = job, .partition = partition, .offset = job->rec.offset, .epoch = epoch, .state = TAKEN_OUT};
	t->next = partition->takens;
	if (t->next != NULL)
		t->next->prev = t;
	partition->takens = t;
	partition->taken_count++;
	f->out++;
	job->rec.slot = t;
	return t;
}

static void unhash(struct inflight *f, struct taken *t)
{
	struct taken **at = bucket_of(f, t->partition, t->offset);
	while (*at != t)
		at = &(*at)->hash_next;
	*at = t->hash_next;
	t->orphan = false;
	f->orphans--;
	t->partition->orphan_count--;
}

void inflight_remove(struct inflight *f, struct taken *t)
{
	if (t->orphan)
		unhash(f, t);
	inflight_set_state(f, t, TAKEN_OUT);
	f->out--;
	t->partition->taken_count--;
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		t->partition->takens = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	t->job->rec.slot = NULL;
	t->job = NULL;
	t->next = f->free;
	f->free = t;
}

void inflight_make_orphan(struct inflight *f, struct taken *t)
{
	if (t->orphan)
		return;
	struct taken **bucket = bucket_of(f, t->partition, t->offset);
	t->hash_next = *bucket;
	*bucket = t;
	t->orphan = true;
	f->orphans++;
	t->partition->orphan_count++;
}

struct taken *inflight_find_orphan(const struct inflight *f, const struct partition *partition, int64_t offset)
{
	for (struct taken *t = *bucket_of(f, partition, offset); t != NULL; t = t->hash_next)
		if (t->partition == partition && t->offset == offset)
			return t;
	return NULL;
}

void inflight_adopt(struct inflight *f, struct taken *t, uint32_t epoch)
{
	unhash(f, t);
	t->epoch = epoch;
}

void inflight_estrange(struct inflight *f, struct taken *t)
{
	if (t->orphan)
		unhash(f, t);
	t->offset = -1; /* no record has it */
	inflight_make_orphan(f, t);
}

void inflight_set_state(struct inflight *f, struct taken *t, enum taken_state state)
{
	f->held -= t->state == TAKEN_HELD;
	f->held += state == TAKEN_HELD;
	f->out -= t->state == TAKEN_OUT;
	f->out += state == TAKEN_OUT;
	t->state = state;
}
