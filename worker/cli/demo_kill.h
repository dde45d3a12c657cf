/*
 * demo_kill.h: `pointsman demo --kill`: three workers on a real broker, killed again and again, and the books of it.
 * Thread: main.
 */
#ifndef CLI_DEMO_KILL_H
#define CLI_DEMO_KILL_H

#include "worker/cli/cli.h"

struct demo_kill_asked {
	const char *brokers; /* NULL: KAFKA_BROKERS, else localhost:9092 */
	const char *folder;  /* of the demo's files */
	int64_t records, kills;
	bool instance, json, keep;
};

/* An exit_code: EXIT_CHECK when the promise is broken. */
int demo_kill(const struct command *self, const struct demo_kill_asked *asked);

#endif
