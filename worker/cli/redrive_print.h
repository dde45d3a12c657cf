/*
 * redrive_print.h: what a redrive did, as a table for people and as JSON. To stdout. Thread: main.
 */
#ifndef CLI_REDRIVE_PRINT_H
#define CLI_REDRIVE_PRINT_H

#include "worker/job/settings.h"
#include "worker/stream/redrive.h"

void redrive_print_table(const struct settings *settings, const struct redrive_order *order, struct redrive_report *report);
/* why: the error that ended it; NULL: none */
void redrive_print_json(const struct settings *settings, const struct redrive_order *order, struct redrive_report *report,
                        const struct err *why);

#endif
