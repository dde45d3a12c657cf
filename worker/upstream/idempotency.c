/*
 * idempotency.c: the key in the header Idempotency-Key.
 *
 * The one idea: it is computed from what stays the same when a record is worked on again, by whatever worker, so a server
 * that honours the header answers a repeated call without doing the work twice.
 */
#include "worker/upstream/idempotency.h"

static void add_number(struct sha256 *hash, uint64_t n)
{
	uint8_t bytes[8];
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(n >> (8 * i));
	sha256_add(hash, bytes, sizeof bytes);
}

void idempotency_key(struct sha256 *hash, struct str cluster_id, const struct record *rec, enum purpose purpose,
                     struct str model, struct str body, char out[IDEMPOTENCY_CHARS + 1])
{
	uint8_t digest[SHA256_BYTES];
	sha256_begin(hash);
	sha256_add_field(hash, cluster_id);
	sha256_add_field(hash, rec->topic);
	add_number(hash, (uint64_t)rec->partition);
	add_number(hash, (uint64_t)rec->offset);
	add_number(hash, (uint64_t)purpose);
	sha256_add_field(hash, model);
	sha256_add_field(hash, body);
	sha256_end(hash, digest);
	hex_encode(digest, IDEMPOTENCY_CHARS / 2, out);
}
