/*
 * plain.h: a reader and a writer without promises: no group, no commits, no transactions. For the demo and for tools that
 * look at topics.
 *
 * Thread: each by one thread.
 */
#ifndef STREAM_PLAIN_H
#define STREAM_PLAIN_H

#include "common/err.h"
#include "worker/job/record.h"
#include "worker/job/settings.h"

struct plain_writer;
struct plain_reader;

enum rc plain_writer_open(const struct settings *settings, struct plain_writer **ret, struct err *err);
/* Copies. Waits while the client's queue is full. */
enum rc plain_writer_send(struct plain_writer *writer, const char *topic, struct str key, struct str value, struct err *err);
/* Waits until all is delivered. RC_UNAVAILABLE: not within the timeout, or some records were refused. */
enum rc plain_writer_flush(struct plain_writer *writer, int timeout_ms, struct err *err);
void plain_writer_close(struct plain_writer *writer); /* NULL is fine */

/* Reads all partitions of the topics (at most 16) from the beginning, committed records only. */
enum rc plain_reader_open(const struct settings *settings, const char *const *topics, unsigned count, struct plain_reader **ret,
                          struct err *err);
/* Calls see for what has come within timeout_ms, at most max records; key and value are valid during the call. Returns the
 * number seen. */
unsigned plain_reader_poll(struct plain_reader *reader, int timeout_ms, unsigned max,
                           void (*see)(void *ctx, const char *topic, struct str key, struct str value), void *ctx);
void plain_reader_close(struct plain_reader *reader); /* NULL is fine */

#endif
