/*
 * moment.h: points of time as people write them. Thread: any. Pure.
 */
#ifndef CLI_MOMENT_H
#define CLI_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

enum { MOMENT_TEXT = 32 };

/* "90s", "30m", "2h", "7d": so long before now. "2026-11-20", "2026-11-20T08:00", "2026-11-20T08:00:30Z", "...+01:00": that
 * moment, UTC unless it says otherwise. false: neither. */
bool moment_parse(struct str text, int64_t now_ms, int64_t *ret_ms);
/* "2026-11-20T08:00:30Z" */
void moment_write(int64_t ms, char out[MOMENT_TEXT]);

#endif
