/*
 * destinations.h: every topic that a configuration and its policy name. Thread: main.
 */
#ifndef CLI_DESTINATIONS_H
#define CLI_DESTINATIONS_H

#include "worker/route/route.h"

#define DESTINATION_REPLIES "replies" /* whoever asks makes it, with partitions as it likes */

struct destination {
	const char *name;
	const char *use; /* "input", "responses", ... for a person */
};
struct destinations {
	struct destination *items; /* inputs first */
	unsigned count;
};

/* In the arena; each name once. */
struct destinations destinations_of(const struct settings *settings, const struct policy *policy, struct arena *arena);

#endif
