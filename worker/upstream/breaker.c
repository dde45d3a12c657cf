/*
 * breaker.c: closed, open, half-open over a sliding window of one-second slots.
 */
#include "worker/upstream/breaker.h"

enum {
	LEAST_CALLS = 10,
	TRIALS = 3,
	FIRST_OPEN_US = 2000000,
	AUTH_OPEN_US = 60000000,
	LONGEST_OPEN_US = 60000000,
	LOOK_AGAIN_US = 200000 /* half-open, all trials on their way */
};

static void open_for(struct breaker *b, int64_t how_long_us, int64_t now_us)
{
	b->state = BREAKER_OPEN;
	b->until_us = now_us + how_long_us;
	b->trials = b->trials_good = 0;
	for (int i = 0; i < BREAKER_SLOTS; i++)
		b->total[i] = b->bad[i] = 0;
}

static void open_longer(struct breaker *b, int64_t now_us)
{
	if (b->open_us == 0)
		b->open_us = FIRST_OPEN_US;
	open_for(b, b->open_us, now_us);
	b->open_us = b->open_us * 2 > LONGEST_OPEN_US ? LONGEST_OPEN_US : b->open_us * 2;
}

static void count(struct breaker *b, bool bad, int64_t now_us)
{
	int64_t second = now_us / 1000000;
	int slot = (int)(second % BREAKER_SLOTS);
	if (b->slot_s[slot] != second) {
		b->slot_s[slot] = second;
		b->total[slot] = b->bad[slot] = 0;
	}
	b->total[slot]++;
	b->bad[slot] += bad ? 1 : 0;
}

static bool mostly_bad(const struct breaker *b, int64_t now_us)
{
	int64_t second = now_us / 1000000;
	uint64_t total = 0, bad = 0;
	for (int i = 0; i < BREAKER_SLOTS; i++) {
		if (b->slot_s[i] > second - BREAKER_SLOTS) {
			total += b->total[i];
			bad += b->bad[i];
		}
	}
	return total >= LEAST_CALLS && bad * 2 >= total;
}

bool breaker_admit(struct breaker *b, int64_t now_us, bool *ret_trial)
{
	if (b->state == BREAKER_OPEN && now_us >= b->until_us) {
		b->state = BREAKER_HALF_OPEN;
		b->trials = b->trials_good = 0;
	}
	if (b->state == BREAKER_CLOSED) {
		*ret_trial = false;
		return true;
	}
	if (b->state == BREAKER_OPEN || b->trials + b->trials_good >= TRIALS)
		return false;
	b->trials++;
	*ret_trial = true;
	return true;
}

bool breaker_saw(struct breaker *b, enum breaker_sight sight, bool trial, int64_t now_us)
{
	if (b->state == BREAKER_CLOSED) {
		if (sight == BREAKER_AUTH) {
			open_for(b, AUTH_OPEN_US, now_us);
			return true;
		}
		if (sight != BREAKER_NEUTRAL)
			count(b, sight == BREAKER_BAD, now_us);
		if (sight != BREAKER_BAD || !mostly_bad(b, now_us))
			return false;
		open_longer(b, now_us);
		return true;
	}
	if (b->state == BREAKER_OPEN || !trial || b->trials == 0)
		return false;
	b->trials--;
	if (sight == BREAKER_NEUTRAL)
		return false; /* another may try */
	if (sight == BREAKER_AUTH) {
		open_for(b, AUTH_OPEN_US, now_us);
		return true;
	}
	if (sight == BREAKER_BAD) {
		open_longer(b, now_us);
		return true;
	}
	if (++b->trials_good < TRIALS)
		return false;
	*b = (struct breaker){.state = BREAKER_CLOSED};
	return true;
}

int64_t breaker_blocked_until(const struct breaker *b, int64_t now_us)
{
	if (b->state == BREAKER_OPEN)
		return b->until_us > now_us ? b->until_us : 0;
	if (b->state == BREAKER_HALF_OPEN && b->trials + b->trials_good >= TRIALS)
		return now_us + LOOK_AGAIN_US;
	return 0;
}
