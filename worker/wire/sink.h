/*
 * sink.h: how records.c tells a record's fields to whichever format writes them.
 *
 * Fields are told in the order of the schema; a name is NULL inside a list. A null text, a NAN and sink_null are null: the
 * schema says where that may be. Texts are borrowed until the record is written. A sink never fails while it is told things; what went wrong is said at its end.
 *
 * Thread: the coder's owner.
 */
#ifndef WIRE_SINK_H
#define WIRE_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

struct sink {
	void (*text)(struct sink *sink, const char *name, struct str value);
	void (*whole)(struct sink *sink, const char *name, int64_t value);
	void (*real)(struct sink *sink, const char *name, double value);
	void (*truth)(struct sink *sink, const char *name, bool value);
	void (*symbol)(struct sink *sink, const char *name, const char *value, int index); /* of an enum */
	void (*null)(struct sink *sink, const char *name);
	void (*open_record)(struct sink *sink, const char *name);
	void (*open_list)(struct sink *sink, const char *name);
	void (*open_map)(struct sink *sink, const char *name);
	void (*entry)(struct sink *sink, struct str key, struct str value); /* of a map */
	void (*close)(struct sink *sink);
};

struct json_sink {
	struct sink sink;
	struct buf *out;
	unsigned depth;
	char closing[16];
};
void json_sink_init(struct json_sink *sink, struct buf *out);

#endif
