/*
 * idempotency.h: the name of a call: equal over retries and redeliveries of a record, never equal for two records.
 * Thread: the owner of the hash state.
 */
#ifndef UPSTREAM_IDEMPOTENCY_H
#define UPSTREAM_IDEMPOTENCY_H

#include "common/hmac.h"
#include "worker/job/job.h"

enum { IDEMPOTENCY_CHARS = 32 };

/* Writes IDEMPOTENCY_CHARS hex digits and a NUL: half of SHA-256 over cluster, topic, partition, offset, purpose, model and
 * request body, each with its length. */
void idempotency_key(struct sha256 *hash, struct str cluster_id, const struct record *rec, enum purpose purpose,
                     struct str model, struct str body, char out[IDEMPOTENCY_CHARS + 1]);

#endif
