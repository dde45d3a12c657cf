/*
 * turn.h: which of the records that were taken may be worked on now.
 *
 * With input.ordering: key a record waits (TAKEN_WAITING, its job here and not with the engine) until no record of its partition
 * and key with a lower offset is unfinished. A member of a quarantine (quarantine.h) waits until it is chosen.
 *
 * Thread: stream.
 */
#ifndef STREAM_TURN_H
#define STREAM_TURN_H

#include "common/queue.h"
#include "worker/stream/inflight.h"
#include "worker/stream/key_order.h"

struct stream;

struct turns {
	struct key_order keys;
	bool by_key;
};

void turn_open(struct stream *s, uint32_t max_jobs);
void turn_close(struct stream *s);

/* Would a record of that key have to wait, with no room left for waiting? Then it stays unread. */
bool turn_has_no_room(const struct stream *s, const struct partition *p, struct str key);
/* While a dropped record is to come again, those behind it may not be read. */
bool turn_holds_up(const struct stream *s, const struct partition *p);
/* A record was taken. true: it may be worked on now. false: it waits. */
bool turn_enter(struct stream *s, struct taken *t, bool member);
/* A record that was begun long ago was taken up again. */
void turn_resume(struct stream *s, struct taken *t);
/* It is committed, or no longer this partition's. Who may be worked on in its stead goes to ready; NULL: nobody shall. */
void turn_leave(struct stream *s, struct taken *t, struct list *ready);
/* t is to be delivered again, and before what waits for it: that is dropped too. */
void turn_drop_behind(struct stream *s, struct taken *t);
/* Everything of the partition that waits was never begun, and shall not be. */
void turn_drop_waiting(struct stream *s, struct partition *p);
/* The quarantine has ended: those who could not be begun meanwhile are. */
void turn_release(struct stream *s);
/* Empties ready into the engine. */
void turn_deliver(struct stream *s, struct list *ready);

#endif
