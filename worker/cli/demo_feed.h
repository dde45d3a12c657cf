/*
 * demo_feed.h: the prompts that the demo sends. Thread: main.
 */
#ifndef CLI_DEMO_FEED_H
#define CLI_DEMO_FEED_H

#include "common/err.h"
#include "common/str.h"

struct demo_feed;

/* Reads FOLDER/prompts.jsonl: one request a line. */
enum rc demo_feed_open(const char *folder, struct demo_feed **ret, struct err *err);
void demo_feed_close(struct demo_feed *feed); /* NULL is fine */

/* The index-th record, going round over the file under ever new ids. Valid until the next call. */
struct str demo_feed_record(struct demo_feed *feed, int64_t index);
/* The text of the request with that id; data NULL: unknown. ctx is a struct demo_feed. */
struct str demo_feed_prompt(void *ctx, struct str id);

#endif
