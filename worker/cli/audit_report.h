/*
 * audit_report.h: a checked ledger for a person and for a program. The same topics give the same text. Thread: main.
 */
#ifndef CLI_AUDIT_REPORT_H
#define CLI_AUDIT_REPORT_H

#include "worker/cli/audit_read.h"

void audit_report_print(const struct audit_books *books, const struct ledger_result *result, FILE *out);
void audit_report_json(const struct audit_books *books, const struct ledger_result *result, FILE *out); /* one object */
uint32_t audit_report_sources(const struct audit_books *books); /* how many of the result's figures there are */
bool audit_report_holds(const struct audit_books *books, const struct ledger_result *result);

#endif
