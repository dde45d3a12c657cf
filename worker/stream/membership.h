/*
 * membership.h: as whom this process holds its partitions, and whether it still is that member.
 *
 * Thread: stream.
 */
#ifndef STREAM_MEMBERSHIP_H
#define STREAM_MEMBERSHIP_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

struct stream;

/* An assignment has come: it belongs to the member that this process is now. Call before librdkafka is answered, which joins
 * anew no earlier. true: that is another member than the one that got what is in hand. */
bool membership_note(struct stream *s);
/* Nothing is in hand any more. */
void membership_forget(struct stream *s);
/* Is it the member that got what is in hand? */
bool membership_is_current(const struct stream *s);
/* What a commit is to be sent as. NULL: not a member, or not the one that got what is in hand. The caller destroys it. */
rd_kafka_consumer_group_metadata_t *membership_group(const struct stream *s);

#endif
