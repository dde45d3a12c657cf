/*
 * ledger.c: a hash table from key to counts.
 *
 * The one idea: a test asks one question of the model's server, "was any request answered twice?", and only the server
 * can tell. It does not keep the keys themselves.
 */
#include "tests/modelsim/ledger.h"

#include <stdlib.h>

#include "common/arena.h"

uint64_t ledger_hash(struct str text)
{
	/* FNV-1a, then the finaliser of MurmurHash3, because FNV's low bits alone spread badly. */
	uint64_t h = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < text.len; i++)
		h = (h ^ (unsigned char)text.data[i]) * UINT64_C(1099511628211);
	h = (h ^ (h >> 33)) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ (h >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;
	return h != 0 ? h : 1;
}

static struct ledger_entry *slot(struct ledger_entry *entries, size_t room, uint64_t fingerprint)
{
	size_t at = (size_t)fingerprint & (room - 1);
	while (entries[at].fingerprint != 0 && entries[at].fingerprint != fingerprint)
		at = (at + 1) & (room - 1);
	return &entries[at];
}

static void grow(struct ledger *ledger)
{
	size_t room = ledger->room == 0 ? 4096 : ledger->room * 2;
	struct ledger_entry *entries = heap_zalloc(room, sizeof *entries);
	for (size_t i = 0; i < ledger->room; i++)
		if (ledger->entries[i].fingerprint != 0)
			*slot(entries, room, ledger->entries[i].fingerprint) = ledger->entries[i];
	free(ledger->entries);
	ledger->entries = entries;
	ledger->room = room;
}

static struct ledger_entry *find_or_add(struct ledger *ledger, uint64_t fingerprint)
{
	if (ledger->distinct * 2 >= ledger->room)
		grow(ledger);
	struct ledger_entry *entry = slot(ledger->entries, ledger->room, fingerprint);
	if (entry->fingerprint == 0) {
		entry->fingerprint = fingerprint;
		ledger->distinct++;
	}
	return entry;
}

void ledger_call(struct ledger *ledger, uint64_t fingerprint)
{
	find_or_add(ledger, fingerprint)->calls++;
}

void ledger_answer(struct ledger *ledger, uint64_t fingerprint)
{
	struct ledger_entry *entry = find_or_add(ledger, fingerprint);
	if (entry->answers++ != 0)
		ledger->repeated_answers++;
}

void ledger_reset(struct ledger *ledger)
{
	free(ledger->entries);
	*ledger = (struct ledger){0};
}
