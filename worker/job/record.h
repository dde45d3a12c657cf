/*
 * record.h: what comes from a topic and what goes to one. The stream room reads and writes these and nothing else of a job.
 *
 * Memory: everything a record or an output points to lives in its job's arena.
 */
#ifndef JOB_RECORD_H
#define JOB_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

struct header {
	struct str name;  /* UTF-8 as far as the sender kept to it; not checked */
	struct str value; /* bytes; data NULL: a null value */
};

/*
 * The worker's hold on a partition. One lives as long as the stream; jobs point to it. A job whose epoch is not the
 * lease's, or whose lease is not LEASE_LIVE, may not start anything (no call, no retry); whoever finds that hands the job
 * back with state JOB_DROPPED. Written by the stream thread only; read by any.
 */
enum lease_state { LEASE_DEAD, LEASE_LIVE, LEASE_DRAINING };
struct lease {
	_Atomic uint32_t epoch;
	_Atomic int state;
	_Atomic uint32_t held; /* jobs that wait for a schema: the partition is not read meanwhile. Written by control */
};

enum {
	RECORD_CONDEMNED = 2, /* decoded, to name it in its response, and failed */
	RECORD_UNREADABLE,    /* not even that: it died of the second death's cause again */
};

struct record {
	struct str topic; /* the input topic; lives as long as the settings */
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms;
	uint8_t timestamp_type; /* 0 none, 1 create time, 2 log-append time */
	bool redelivered;       /* its partition was taken over with this offset possibly dispatched before */
	uint8_t crashes;        /* how often a worker died with only this record in it; from RECORD_CONDEMNED on it is not worked on */
	struct str key;         /* data NULL: null key */
	struct str value;       /* data NULL: null value */
	struct header *headers;
	uint32_t header_count;
	struct lease *lease; /* NULL in offline use (explain, tests) */
	uint32_t epoch;      /* the lease's at the fetch */
	void *slot;          /* the stream's own */
};

static inline bool record_may_start(const struct record *rec)
{
	return rec->lease == NULL || (atomic_load_explicit(&rec->lease->state, memory_order_acquire) == LEASE_LIVE &&
	                              atomic_load_explicit(&rec->lease->epoch, memory_order_acquire) == rec->epoch);
}

enum output_kind { OUTPUT_RESPONSE, OUTPUT_DECISION, OUTPUT_DEAD_LETTER, OUTPUT_FORWARD, OUTPUT_SAMPLE, OUTPUT_KINDS };

struct output {
	struct output *next;
	enum output_kind kind;
	struct str topic;
	struct str key;   /* data NULL: null key */
	struct str value;
	struct header *headers;
	uint32_t header_count;
	int32_t partition; /* >= 0: exactly this one; -1: the source's number where the counts are equal, else by key */
};

#endif
