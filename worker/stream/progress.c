/*
 * progress.c: the set of unfinished offsets of one partition.
 *
 * The one idea: keep what is unfinished, never what is finished. Calls last from milliseconds to minutes, so records finish
 * in any order; the unfinished ones are few and bounded (PROGRESS_MAX_ENTRIES), an ascending array found by bisection, while
 * the finished ones are everything else below `top`. An entry leaves the array only when a transaction has committed it, or
 * when deliveries, which ascend, have passed over it: then it does not exist in the log.
 *
 * A released record may lie behind the consumer and does not come by itself. It is a state of its own, so that nothing can
 * mistake it for such a gap before progress_seek says that deliveries begin again at or below it.
 *
 * It does not know Kafka, threads or time, and writes nothing: progress_codec.c makes text of a snapshot.
 */
#include "worker/stream/progress.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "common/arena.h"
#include "worker/stream/progress_codec.h"

enum entry_state {
	AWAITED,  /* ahead of the consumer: it comes, or it does not exist */
	RELEASED, /* to come again, but maybe behind the consumer */
	TAKEN,
	COLLECTED,
	OPEN,
	ENTRY_STATES
};

struct entry {
	int64_t offset;
	enum entry_state state;
};

struct progress {
	struct entry *entries; /* ascending */
	uint32_t count, cap;
	uint32_t in_state[ENTRY_STATES];
	int64_t top;   /* above everything delivered or loaded */
	bool has_open; /* a transaction is, maybe an empty one */
	bool changed;
};

static void append(struct progress *p, int64_t offset, enum entry_state state)
{
	if (p->count == p->cap) {
		p->cap = p->cap == 0 ? 16 : p->cap * 2;
		p->entries = heap_resize(p->entries, p->cap, sizeof *p->entries);
	}
	p->entries[p->count++] = (struct entry){offset, state};
	p->in_state[state]++;
}

/* Index of the first entry at or above offset. */
static uint32_t lower_bound(const struct progress *p, int64_t offset)
{
	uint32_t low = 0, high = p->count;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (p->entries[mid].offset < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct entry *find(const struct progress *p, int64_t offset)
{
	uint32_t i = lower_bound(p, offset);
	return i < p->count && p->entries[i].offset == offset ? &p->entries[i] : NULL;
}

/* Index of the first entry that is not in the worker; count when all are. */
static uint32_t lowest(const struct progress *p)
{
	uint32_t i = 0;
	while (i < p->count && p->entries[i].state != AWAITED && p->entries[i].state != RELEASED)
		i++;
	return i;
}

static void move(struct progress *p, struct entry *entry, enum entry_state to)
{
	p->in_state[entry->state]--;
	p->in_state[to]++;
	entry->state = to;
}

static void move_all(struct progress *p, enum entry_state from, enum entry_state to)
{
	for (uint32_t i = 0; i < p->count && p->in_state[from] > 0; i++)
		if (p->entries[i].state == from)
			move(p, &p->entries[i], to);
}

/* Removes the entries of that state below the offset. Returns how many. */
static uint32_t drop_below(struct progress *p, enum entry_state state, int64_t offset)
{
	if (p->in_state[state] == 0)
		return 0;
	uint32_t kept = 0, before = p->count;
	for (uint32_t i = 0; i < before; i++) {
		struct entry entry = p->entries[i];
		if (entry.state == state && entry.offset < offset)
			p->in_state[state]--;
		else
			p->entries[kept++] = entry;
	}
	p->count = kept;
	return before - kept;
}

/* The consumer has delivered, or found nothing, up to the offset: awaited records on the way do not exist. */
static void pass(struct progress *p, int64_t offset)
{
	if (drop_below(p, AWAITED, offset) > 0)
		p->changed = true;
}

struct progress *progress_open(int64_t base, const struct progress_snapshot *loaded)
{
	assert(base >= 0 && (loaded == NULL || (loaded->base == base && loaded->count <= PROGRESS_MAX_ENTRIES)));
	struct progress *p = heap_zalloc(1, sizeof *p);
	p->top = base;
	if (loaded == NULL)
		return p;
	for (uint32_t i = 0; i < loaded->count; i++) {
		assert(loaded->unfinished[i] >= p->top && loaded->unfinished[i] - base < loaded->span);
		append(p, loaded->unfinished[i], AWAITED);
		p->top = loaded->unfinished[i] + 1;
	}
	p->top = base + loaded->span;
	return p;
}

void progress_close(struct progress *p)
{
	if (p == NULL)
		return;
	free(p->entries);
	free(p);
}

enum progress_place progress_look(const struct progress *p, int64_t offset)
{
	if (offset >= p->top)
		return PROGRESS_NEW;
	const struct entry *entry = find(p, offset);
	if (entry == NULL)
		return PROGRESS_FINISHED;
	return entry->state == AWAITED || entry->state == RELEASED ? PROGRESS_AWAITED : PROGRESS_TAKEN;
}

bool progress_may_take(const struct progress *p, int64_t offset)
{
	if (offset < p->top)
		return progress_look(p, offset) == PROGRESS_AWAITED;
	/* Awaited records that this delivery passes over are gone once it is taken. Without leaving them out, a full set of
	 * them would refuse for ever what alone can clear it. */
	uint32_t first = 0;
	while (first < p->count && p->entries[first].state == AWAITED)
		first++;
	int64_t reach = first < p->count ? offset - p->entries[first].offset : 0;
	return progress_fits(p->count - p->in_state[AWAITED] + 1, reach);
}

void progress_take(struct progress *p, int64_t offset)
{
	assert(progress_may_take(p, offset));
	pass(p, offset);
	if (offset < p->top) {
		move(p, find(p, offset), TAKEN);
		return;
	}
	append(p, offset, TAKEN);
	p->top = offset + 1;
}

void progress_position(struct progress *p, int64_t position)
{
	pass(p, position);
	if (position <= p->top)
		return;
	p->top = position;
	if (p->count == p->in_state[OPEN])
		p->changed = true; /* the watermark is top itself */
}

void progress_seek(struct progress *p, int64_t offset)
{
	/* higher would pass over what is still to come */
	assert(offset <= p->top && (p->in_state[AWAITED] == 0 || offset <= p->entries[lowest(p)].offset));
	for (uint32_t i = lower_bound(p, offset); i < p->count && p->in_state[RELEASED] > 0; i++)
		if (p->entries[i].state == RELEASED)
			move(p, &p->entries[i], AWAITED);
}

void progress_release(struct progress *p, int64_t offset)
{
	struct entry *entry = find(p, offset);
	assert(entry != NULL && (entry->state == TAKEN || entry->state == COLLECTED));
	move(p, entry, RELEASED);
}

void progress_finish(struct progress *p, int64_t offset)
{
	struct entry *entry = find(p, offset);
	assert(entry != NULL && entry->state == TAKEN);
	move(p, entry, COLLECTED);
	p->changed = true;
}

void progress_begin(struct progress *p, struct progress_snapshot *ret)
{
	assert(!p->has_open);
	move_all(p, COLLECTED, OPEN);
	p->has_open = true;
	p->changed = false;
	ret->count = 0;
	for (uint32_t i = 0; i < p->count; i++)
		if (p->entries[i].state != OPEN)
			ret->unfinished[ret->count++] = p->entries[i].offset;
	ret->base = ret->count > 0 ? ret->unfinished[0] : p->top;
	ret->span = p->top - ret->base;
}

void progress_commit(struct progress *p)
{
	assert(p->has_open);
	drop_below(p, OPEN, p->top);
	p->has_open = false;
}

void progress_abort(struct progress *p)
{
	assert(p->has_open);
	move_all(p, OPEN, TAKEN);
	p->has_open = false;
	p->changed = true;
}

int64_t progress_watermark(const struct progress *p)
{
	return p->count > 0 ? p->entries[0].offset : p->top;
}

int64_t progress_top(const struct progress *p)
{
	return p->top;
}

uint32_t progress_entries(const struct progress *p)
{
	return p->count;
}

int64_t progress_seek_target(const struct progress *p)
{
	return p->in_state[RELEASED] > 0 ? p->entries[lowest(p)].offset : -1;
}

bool progress_has_open(const struct progress *p)
{
	return p->has_open;
}

bool progress_has_news(const struct progress *p)
{
	return p->changed;
}
