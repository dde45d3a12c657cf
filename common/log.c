/*
 * log.c: one event, one line, one write.
 *
 * The one idea: an event is a constant sentence, so lines can be counted by it. A slot per event holds the second it is in
 * and how many lines that second has had; the lines over the bound are counted and said in the event's next line. The line
 * is built on the caller's stack, outside the lock.
 *
 * It writes no file, rotates nothing and keeps nothing back: stderr belongs to whoever started the process.
 */
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/json.h"

enum { LINES_PER_SECOND = 10, SLOTS = 512, LONGEST_VALUE = 1024, LINE_ROOM = 4096 };

struct slot {
	uint64_t event; /* hash of room and sentence; 0: free */
	int64_t second;
	uint64_t suppressed;
	unsigned lines;
};

struct log {
	int fd;
	enum log_level level;
	bool json;
	pthread_mutex_t lock; /* over slots */
	struct slot slots[SLOTS];
};

struct log *log_open(int fd, enum log_level level, enum log_format format)
{
	struct log *log = heap_zalloc(1, sizeof *log);
	log->fd = fd;
	log->level = level;
	log->json = format == LOG_JSON || (format == LOG_AUTO && !isatty(fd));
	pthread_mutex_init(&log->lock, NULL);
	return log;
}

void log_close(struct log *log)
{
	if (log == NULL)
		return;
	pthread_mutex_destroy(&log->lock);
	free(log);
}

bool log_wants(const struct log *log, enum log_level level)
{
	return log != NULL && level >= log->level;
}

/* FNV-1a: events are our own constants, nobody chooses them to collide. */
static uint64_t hash_event(const char *room, const char *event)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (const char *p = room; *p != '\0'; p++)
		h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
	h = (h ^ 0xFF) * UINT64_C(1099511628211);
	for (const char *p = event; *p != '\0'; p++)
		h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
	return h | 1;
}

/* false: this line is held back. *ret_suppressed: how many were, since the event's last line. */
static bool admit(struct log *log, uint64_t event, int64_t second, uint64_t *ret_suppressed)
{
	*ret_suppressed = 0;
	bool admitted = true;
	pthread_mutex_lock(&log->lock);
	for (unsigned i = 0; i < SLOTS; i++) { /* a full table limits nothing: it says too much rather than too little */
		struct slot *slot = &log->slots[(event + i) % SLOTS];
		if (slot->event != 0 && slot->event != event)
			continue;
		slot->event = event;
		if (slot->second != second) {
			slot->second = second;
			slot->lines = 0;
		}
		admitted = slot->lines < LINES_PER_SECOND;
		if (admitted) {
			slot->lines++;
			*ret_suppressed = slot->suppressed;
			slot->suppressed = 0;
		} else {
			slot->suppressed++;
		}
		break;
	}
	pthread_mutex_unlock(&log->lock);
	return admitted;
}

static bool needs_quotes(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];
		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7F)
			return true;
	}
	return s.len == 0;
}

static void write_name(struct buf *line, bool json, const char *name)
{
	if (json) {
		json_key(line, name);
		return;
	}
	if (line->len != 0)
		buf_char(line, ' ');
	buf_cstr(line, name);
	buf_char(line, '=');
}

static void write_text(struct buf *line, bool json, const char *name, struct str value)
{
	char clean[LONGEST_VALUE];
	write_name(line, json, name);
	if (value.data == NULL) {
		buf_cstr(line, json ? "null" : "-");
		return;
	}
	struct str s = {value.data, str_utf8_cut(value, LONGEST_VALUE)};
	if (!str_utf8_valid(s)) { /* a broker's or a peer's bytes: a log line stays text whatever they are */
		for (size_t i = 0; i < s.len; i++)
			clean[i] = (unsigned char)s.data[i] < 0x80 ? s.data[i] : '?';
		s.data = clean;
	}
	if (json || needs_quotes(s))
		json_write_str(line, s);
	else
		buf_str(line, s);
}

static void write_time(struct buf *line, bool json, int64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;
	char text[40] = "";
	if (gmtime_r(&seconds, &tm) != NULL) {
		size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.", &tm);
		int ms = (int)(wall_ms % 1000);
		text[n++] = (char)('0' + ms / 100);
		text[n++] = (char)('0' + ms / 10 % 10);
		text[n++] = (char)('0' + ms % 10);
		text[n++] = 'Z';
		text[n] = '\0';
	}
	write_text(line, json, "time", str_of(text));
}

static void write_field(struct buf *line, bool json, const struct log_field *field)
{
	switch (field->kind) {
	case LOG_FIELD_STR:
		write_text(line, json, field->name, field->s);
		return;
	case LOG_FIELD_INT:
		write_name(line, json, field->name);
		buf_i64(line, field->i);
		return;
	case LOG_FIELD_REAL:
		write_name(line, json, field->name);
		json_write_double(line, field->d);
		return;
	}
}

void log_write(struct log *log, enum log_level level, const char *room, const char *event, const struct log_field *fields, unsigned count)
{
	static const char *const levels[] = {"debug", "info", "warn", "error"};
	uint64_t suppressed;
	if (!log_wants(log, level) || !admit(log, hash_event(room, event), clock_mono_us() / 1000000, &suppressed))
		return;
	char room_for_most[LINE_ROOM];
	struct arena arena; /* takes memory only for a line that does not fit above */
	arena_init(&arena, 0);
	struct buf line = {.arena = &arena, .data = room_for_most, .cap = sizeof room_for_most};
	if (log->json)
		buf_char(&line, '{');
	write_time(&line, log->json, clock_wall_ms());
	write_text(&line, log->json, "level", str_of(levels[level <= LOG_ERROR ? level : LOG_ERROR]));
	write_text(&line, log->json, "room", str_of(room));
	write_text(&line, log->json, "event", str_of(event));
	for (unsigned i = 0; i < count; i++)
		write_field(&line, log->json, &fields[i]);
	if (suppressed != 0)
		write_field(&line, log->json, &LOG_I("suppressed", suppressed));
	buf_cstr(&line, log->json ? "}\n" : "\n");
	ssize_t n;
	do
		n = write(log->fd, line.data, line.len);
	while (n < 0 && errno == EINTR); /* any other failure: there is nowhere left to say it */
	arena_free(&arena);
}
