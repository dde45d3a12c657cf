/*
 * log.h: structured logs on stderr: logfmt on a terminal, JSON lines otherwise. A line is one event and its fields.
 *
 * Rate: at most 10 lines of one event a second; what was held back is said in the next ("suppressed").
 * Secrets and prompts are never passed here. Values are escaped and cut at 1,024 bytes.
 * Thread: any. A line is written with one write(2).
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_AUTO, LOG_LOGFMT, LOG_JSON };

struct log;

struct log *log_open(int fd, enum log_level level, enum log_format format);
void log_close(struct log *log); /* NULL is fine */

struct log_field {
	const char *name;
	enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_REAL } kind;
	struct str s;
	int64_t i;
	double d;
};
#define LOG_S(field_name, text) ((struct log_field){.name = (field_name), .kind = LOG_FIELD_STR, .s = (text)})
#define LOG_C(field_name, cstr) ((struct log_field){.name = (field_name), .kind = LOG_FIELD_STR, .s = str_of(cstr)})
#define LOG_I(field_name, n) ((struct log_field){.name = (field_name), .kind = LOG_FIELD_INT, .i = (int64_t)(n)})
#define LOG_F(field_name, x) ((struct log_field){.name = (field_name), .kind = LOG_FIELD_REAL, .d = (x)})

/* room: the module ("stream"); event: a constant short sentence ("partition assigned"). log may be NULL (silent). */
void log_write(struct log *log, enum log_level level, const char *room, const char *event, const struct log_field *fields, unsigned count);
bool log_wants(const struct log *log, enum log_level level);
#define LOG_AT(log, level, room, event, ...)                                                                           \
	do {                                                                                                               \
		if (log_wants((log), (level))) {                                                                               \
			const struct log_field log_fields_[] = {__VA_ARGS__};                                                      \
			log_write((log), (level), (room), (event), log_fields_, (unsigned)(sizeof log_fields_ / sizeof log_fields_[0])); \
		}                                                                                                              \
	} while (0)
#define log_debug(log, room, event, ...) LOG_AT(log, LOG_DEBUG, room, event, __VA_ARGS__)
#define log_info(log, room, event, ...) LOG_AT(log, LOG_INFO, room, event, __VA_ARGS__)
#define log_warn(log, room, event, ...) LOG_AT(log, LOG_WARN, room, event, __VA_ARGS__)
#define log_error(log, room, event, ...) LOG_AT(log, LOG_ERROR, room, event, __VA_ARGS__)

#endif
