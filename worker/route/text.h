/*
 * text.h: what the router reads of a record: text.use, text.strip, text.max_chars.
 * Thread: any; memory is the arena given.
 */
#ifndef ROUTE_TEXT_H
#define ROUTE_TEXT_H

#include "worker/job/job.h"

enum text_use { TEXT_LAST_USER, TEXT_FIRST_USER, TEXT_ALL_USER, TEXT_ALL };
enum text_strip { STRIP_HTML = 1, STRIP_QUOTED_REPLY = 2, STRIP_SIGNATURE = 4 };

struct text_rules {
	int use; /* enum text_use */
	uint32_t max_chars;
	uint32_t strip; /* bits of enum text_strip */
};

struct text {
	struct str shown; /* what stages read: used, stripped, cut to max_chars as head and tail; case kept */
	/* of the text before the cut */
	uint32_t chars, words, tokens_est;
	const char *language; /* of shown; NULL until text_language has looked */
};

/* The text of job->req under rules. */
struct text *text_read(const struct text_rules *rules, const struct request *req, struct arena *arena);
/* The head and the tail of s, a line break between them, where it has more than max_chars (2 or more). */
struct str text_cut(struct str s, uint32_t max_chars, struct arena *arena);
/* The messages' text before strip and cut. */
struct str text_use(int use, const struct request *req, struct arena *arena);
/* Everything of the record that a model could get to see: all messages and attributes, uncut. Lengths are of all of it. */
struct text *text_whole(const struct request *req, struct arena *arena);
/* Estimated tokens of s. */
uint32_t text_tokens(struct str s);
/* ISO 639-1 code or "und". Looks once. */
const char *text_language(struct text *text);
/* Signs of source code: a fence, or several lines that end or begin as code does. */
bool text_has_code(struct str s);

/* strip.c: s without the parts named by the bits; what would leave nothing is not done. */
struct str strip_text(struct str s, uint32_t bits, struct arena *arena);

#endif
