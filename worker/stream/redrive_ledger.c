/*
 * redrive_ledger.c: runs of done offsets, and their text.
 *
 * The one idea: the length of the text is known at all times, because one mark changes one run and the gap behind it. So a
 * mark that would not fit is refused before anything is done that could not be written down.
 */
#include "worker/stream/redrive_ledger.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/arena.h"
#include "common/hmac.h"

enum { BITS_A_CHAR = 6, COUNT_BITS = 40, SUM_DIGITS = 8, HEAD = 5 + SUM_DIGITS + 1 };
enum { MAX_BITS = (REDRIVE_LEDGER_TEXT_MAX - HEAD) * BITS_A_CHAR - COUNT_BITS, MAX_RUNS = MAX_BITS / 2 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void redrive_ledger_init(struct redrive_ledger *ledger, int64_t low)
{
	*ledger = (struct redrive_ledger){.low = low};
}

void redrive_ledger_free(struct redrive_ledger *ledger)
{
	free(ledger->runs);
	*ledger = (struct redrive_ledger){0};
}

/* The first run that ends at or behind offset. */
static uint32_t find_run(const struct redrive_ledger *ledger, int64_t offset)
{
	uint32_t low = 0, high = ledger->count;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (ledger->runs[mid].to < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool redrive_ledger_has(const struct redrive_ledger *ledger, int64_t offset)
{
	if (offset < ledger->low)
		return true;
	uint32_t i = find_run(ledger, offset + 1);
	return i < ledger->count && ledger->runs[i].from <= offset;
}

static unsigned gamma_bits(int64_t n)
{
	return 2 * (63 - (unsigned)__builtin_clzll((uint64_t)n)) + 1;
}

static unsigned run_bits(int64_t end_before, struct redrive_ledger_run run)
{
	return gamma_bits(run.from - end_before) + gamma_bits(run.to - run.from);
}

static int64_t end_before(const struct redrive_ledger *ledger, uint32_t i)
{
	return i > 0 ? ledger->runs[i - 1].to : ledger->low;
}

static uint64_t bits_of(const struct redrive_ledger *ledger, uint32_t first, uint32_t end)
{
	uint64_t bits = 0;
	for (uint32_t i = first; i < end && i < ledger->count; i++)
		bits += run_bits(end_before(ledger, i), ledger->runs[i]);
	return bits;
}

/* Puts one run, or none, in the place of [first, end). */
static void splice(struct redrive_ledger *ledger, uint32_t first, uint32_t end, const struct redrive_ledger_run *run)
{
	uint32_t fresh = run != NULL ? 1 : 0;
	if (ledger->count + fresh > ledger->cap) {
		ledger->cap = ledger->cap != 0 ? ledger->cap * 2 : 16;
		ledger->runs = heap_resize(ledger->runs, ledger->cap, sizeof *ledger->runs);
	}
	if (end < ledger->count)
		memmove(ledger->runs + first + fresh, ledger->runs + end, (ledger->count - end) * sizeof *ledger->runs);
	ledger->count = ledger->count - (end - first) + fresh;
	if (run != NULL)
		ledger->runs[first] = *run;
}

static void raise_low(struct redrive_ledger *ledger, int64_t low)
{
	uint32_t gone = 0;
	while (gone < ledger->count && ledger->runs[gone].from <= low) {
		if (ledger->runs[gone].to > low)
			low = ledger->runs[gone].to;
		gone++;
	}
	ledger->bits -= bits_of(ledger, 0, gone + 1);
	if (gone != 0)
		splice(ledger, 0, gone, NULL);
	ledger->low = low;
	ledger->bits += bits_of(ledger, 0, 1);
}

/* What a mark above low would do: run in the place of [first, end), and so many bits then. */
struct plan {
	struct redrive_ledger_run run;
	uint32_t first, end;
	uint64_t bits;
};

static struct plan plan_mark(const struct redrive_ledger *ledger, int64_t from, int64_t to)
{
	struct plan plan = {.run = {from, to}, .first = find_run(ledger, from)};
	plan.end = plan.first;
	while (plan.end < ledger->count && ledger->runs[plan.end].from <= to)
		plan.end++;
	if (plan.end > plan.first) {
		const struct redrive_ledger_run *lowest = &ledger->runs[plan.first], *highest = &ledger->runs[plan.end - 1];
		plan.run.from = lowest->from < from ? lowest->from : from;
		plan.run.to = highest->to > to ? highest->to : to;
	}
	plan.bits = ledger->bits - bits_of(ledger, plan.first, plan.end + 1) + run_bits(end_before(ledger, plan.first), plan.run);
	if (plan.end < ledger->count)
		plan.bits += run_bits(plan.run.to, ledger->runs[plan.end]);
	return plan;
}

bool redrive_ledger_fits(const struct redrive_ledger *ledger, int64_t from, int64_t to)
{
	return to <= from || from <= ledger->low || plan_mark(ledger, from, to).bits <= MAX_BITS;
}

bool redrive_ledger_mark(struct redrive_ledger *ledger, int64_t from, int64_t to)
{
	if (to <= from || to <= ledger->low)
		return true;
	if (from <= ledger->low) {
		raise_low(ledger, to);
		return true;
	}
	struct plan plan = plan_mark(ledger, from, to);
	if (plan.bits > MAX_BITS)
		return false;
	splice(ledger, plan.first, plan.end, &plan.run);
	ledger->bits = plan.bits;
	return true;
}

/* ---- text ------------------------------------------------------------------------------------------------------------ */

struct bit_writer {
	char *out;
	size_t bits;
	unsigned pending; /* the bits that make no whole character yet */
};

static void put_bit(struct bit_writer *w, unsigned bit)
{
	w->pending = w->pending << 1 | bit;
	if (++w->bits % BITS_A_CHAR != 0)
		return;
	w->out[w->bits / BITS_A_CHAR - 1] = alphabet[w->pending];
	w->pending = 0;
}

static void put_gamma(struct bit_writer *w, int64_t n)
{
	unsigned top = gamma_bits(n) / 2;
	for (unsigned i = 0; i < top; i++)
		put_bit(w, 0);
	for (unsigned i = top + 1; i-- > 0;)
		put_bit(w, (unsigned)((uint64_t)n >> i & 1));
}

static void checksum(int64_t low, struct str body, char out[SUM_DIGITS + 1])
{
	char text[24 + REDRIVE_LEDGER_TEXT_MAX];
	uint8_t sum[SHA256_BYTES];
	int n = snprintf(text, 24, "%lld:", (long long)low);
	memcpy(text + n, body.data, body.len);
	sha256_once((struct str){text, (size_t)n + body.len}, sum);
	hex_encode(sum, SUM_DIGITS / 2, out);
}

size_t redrive_ledger_encode(const struct redrive_ledger *ledger, char out[REDRIVE_LEDGER_TEXT_MAX + 1])
{
	struct bit_writer w = {.out = out + HEAD};
	put_gamma(&w, (int64_t)ledger->count + 1);
	for (uint32_t i = 0; i < ledger->count; i++) {
		put_gamma(&w, ledger->runs[i].from - end_before(ledger, i));
		put_gamma(&w, ledger->runs[i].to - ledger->runs[i].from);
	}
	while (w.bits % BITS_A_CHAR != 0)
		put_bit(&w, 0);
	size_t body = w.bits / BITS_A_CHAR;
	memcpy(out, "pmr1:", 5);
	checksum(ledger->low, (struct str){out + HEAD, body}, out + 5);
	out[HEAD - 1] = ':';
	out[HEAD + body] = '\0';
	return HEAD + body;
}

struct bit_reader {
	struct str text;
	size_t at; /* bits read */
};

/* 2: there is none, or no character of ours. */
static unsigned get_bit(struct bit_reader *r)
{
	size_t at = r->at / BITS_A_CHAR;
	const char *c = at < r->text.len ? memchr(alphabet, r->text.data[at], sizeof alphabet - 1) : NULL;
	if (c == NULL)
		return 2;
	return (unsigned)(c - alphabet) >> (BITS_A_CHAR - 1 - r->at++ % BITS_A_CHAR) & 1;
}

/* 0: no number of less than 63 bits. */
static int64_t get_gamma(struct bit_reader *r)
{
	unsigned zeros = 0, bit;
	while ((bit = get_bit(r)) == 0)
		if (++zeros > 62)
			return 0;
	uint64_t n = 1;
	for (unsigned i = 0; i < zeros && bit != 2; i++) {
		bit = get_bit(r);
		n = n << 1 | (bit & 1);
	}
	return bit == 2 || n > INT64_MAX ? 0 : (int64_t)n;
}

static bool read_runs(struct bit_reader *r, struct redrive_ledger *ledger)
{
	int64_t count = get_gamma(r) - 1, end = ledger->low;
	if (count < 0 || count > MAX_RUNS)
		return false;
	for (int64_t i = 0; i < count; i++) {
		int64_t gap = get_gamma(r), length = get_gamma(r), from, to;
		if (gap == 0 || length == 0 || __builtin_add_overflow(end, gap, &from) || __builtin_add_overflow(from, length, &to) ||
		    !redrive_ledger_mark(ledger, from, to))
			return false;
		end = to;
	}
	while (r->at % BITS_A_CHAR != 0)
		if (get_bit(r) != 0)
			return false;
	return r->at / BITS_A_CHAR == r->text.len;
}

enum rc redrive_ledger_decode(struct str text, int64_t low, struct redrive_ledger *ret, struct err *err)
{
	char sum[SUM_DIGITS + 1];
	if (low < 0 || text.len <= HEAD || text.len > REDRIVE_LEDGER_TEXT_MAX || !str_starts(text, STR("pmr1:")))
		return err_set(err, RC_BAD_INPUT, "it is not a record of what was redriven");
	struct str body = {text.data + HEAD, text.len - HEAD};
	checksum(low, body, sum);
	if (memcmp(sum, text.data + 5, SUM_DIGITS) != 0 || text.data[HEAD - 1] != ':')
		return err_set(err, RC_BAD_INPUT, "its checksum does not fit, or it belongs to another offset");
	struct bit_reader r = {.text = body};
	struct redrive_ledger ledger;
	redrive_ledger_init(&ledger, low);
	if (!read_runs(&r, &ledger)) {
		redrive_ledger_free(&ledger);
		return err_set(err, RC_BAD_INPUT, "its runs do not read");
	}
	*ret = ledger;
	return RC_OK;
}
