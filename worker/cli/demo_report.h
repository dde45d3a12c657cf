/*
 * demo_report.h: what the demo's outputs add up to. Reads responses and decision records as JSON, as any consumer would.
 * Thread: main.
 */
#ifndef CLI_DEMO_REPORT_H
#define CLI_DEMO_REPORT_H

#include <stdio.h>

#include "common/str.h"

struct demo_report;

struct demo_report *demo_report_new(void);
void demo_report_free(struct demo_report *report); /* NULL is fine */

/* One record of an output topic. false: it is not what the contract says (counted as a fault). */
bool demo_report_response(struct demo_report *report, struct str value);
bool demo_report_decision(struct demo_report *report, struct str value);
void demo_report_dead_letter(struct demo_report *report);
int64_t demo_report_responses(const struct demo_report *report);
int64_t demo_report_decisions(const struct demo_report *report);

/* The table, the totals and three decisions in words. prompt_of gives a request's text by its id (data NULL: unknown). */
void demo_report_print(const struct demo_report *report, int64_t records, struct str (*prompt_of)(void *ctx, struct str id), void *ctx, FILE *out);
/* One JSON object. */
void demo_report_json(const struct demo_report *report, int64_t records, FILE *file);

#endif
