/*
 * demo_crew.h: three workers that can be killed: child processes of this program, with a folder of configurations and logs.
 * None of them outlives this process. Thread: main.
 */
#ifndef CLI_DEMO_CREW_H
#define CLI_DEMO_CREW_H

#include "common/err.h"
#include "worker/job/settings.h"

enum { DEMO_CREW_SIZE = 3 };

struct demo_crew;
struct demo_crew_plan {
	const struct settings *models; /* whose models are called */
	const char *brokers;
	bool instance; /* static names of the group's members */
};

/* Makes the folder (in TMPDIR or /tmp) and writes the configurations; starts nobody. */
enum rc demo_crew_new(const struct demo_crew_plan *plan, struct demo_crew **ret, struct err *err);
/* The folder's own name, unique: prefix of the topics that the configurations name, and their group. */
const char *demo_crew_name(const struct demo_crew *crew);
const char *demo_crew_config(const struct demo_crew *crew); /* the first worker's file */

enum rc demo_crew_start(struct demo_crew *crew, unsigned index, struct err *err);
void demo_crew_kill(struct demo_crew *crew, unsigned index); /* SIGKILL */
/* RC_FATAL: a worker has ended by itself; its log stays. */
enum rc demo_crew_look(struct demo_crew *crew, struct err *err);
/* SIGTERM, and SIGKILL for one that takes too long. */
void demo_crew_stop(struct demo_crew *crew);
/* Stops, and removes the folder unless there is a log to read. NULL is fine. */
void demo_crew_free(struct demo_crew *crew);

#endif
