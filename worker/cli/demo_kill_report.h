/*
 * demo_kill_report.h: the books of `demo --kill`, counted over the topics. Thread: main.
 */
#ifndef CLI_DEMO_KILL_REPORT_H
#define CLI_DEMO_KILL_REPORT_H

#include "worker/cli/cli.h"

struct demo_kill_figures {
	const char *brokers;
	int64_t in, kills, calls, repeated_calls, longest_pause_ms;
	bool instance;
};

/* Reads the topics and prints. *ret_code: EXIT_DONE, EXIT_CHECK when the promise is broken, EXIT_FAILED when records are not
 * answered. An error: they could not be read. */
enum rc demo_kill_report(const struct settings *settings, const struct demo_kill_figures *figures, bool json, int *ret_code, struct err *err);

#endif
