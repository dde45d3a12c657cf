/*
 * progress_codec.h: progress as the text in an offset commit's metadata, and back.
 *
 * Layout, big-endian: version 1, flags 1 (bit 0 running, bit 1 topic id), restarts 2, base 8, span 8, count 2, k 1, owner
 * length 1, index of the lone one 2 and of the suspect 2 (65535: none), crashes and stuck 4 bits each, owner, topic id (0 or
 * 16), gaps as Rice code of parameter k, CRC-32C 4; then base64. Brokers keep 4,096 characters of ASCII.
 *
 * Thread: any. Pure. Nothing is allocated.
 */
#ifndef STREAM_PROGRESS_CODEC_H
#define STREAM_PROGRESS_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"
#include "worker/stream/progress.h"

enum { PROGRESS_COUNT_MAX = 15 }; /* of stuck and crashes */
enum { PROGRESS_TEXT_MAX = 4096, PROGRESS_OWNER_MAX = 36, PROGRESS_TOPIC_ID_BYTES = 16 };

/* What a commit says beside the offsets. */
struct progress_mark {
	bool running;      /* set with the first commit after an assignment, cleared by a clean leave */
	uint16_t restarts; /* how often it was found set with nothing finished since */
	uint8_t stuck;     /* how often it was found set with the same lowest record */
	uint8_t crashes;   /* how often a worker died while the suspect was alone in it; 0 without one */
	bool has_alone, has_suspect;
	int64_t alone;   /* about to be worked on, and nothing else in the worker. Told only while it is unfinished */
	int64_t suspect; /* likewise */
	bool has_topic_id;
	uint8_t topic_id[PROGRESS_TOPIC_ID_BYTES];
	char owner[PROGRESS_OWNER_MAX + 1]; /* printable ASCII: names the owner's transactional id; may be empty */
};

/* Does a set of count unfinished offsets, last - first = reach, always fit? Not exact, on the safe side, and growing in
 * both: what fits goes on fitting when offsets leave the set. */
bool progress_fits(uint32_t count, int64_t reach);

/* Writes a NUL-terminated text and returns its length. The snapshot must fit (progress_begin's always do). */
size_t progress_encode(const struct progress_snapshot *snapshot, const struct progress_mark *mark, char out[PROGRESS_TEXT_MAX + 1]);

/* RC_BAD_INPUT with the reason unless text is exactly what progress_encode wrote for this base: then nothing above base may
 * be taken for finished. Neither ret is touched then. */
enum rc progress_decode(struct str text, int64_t expected_base, struct progress_snapshot *ret, struct progress_mark *ret_mark,
                        struct err *err);

#endif
