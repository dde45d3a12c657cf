/*
 * versions.c: the one table of librdkafka ranges.
 *
 * The one idea: what stands against a range is written once, with the reason, and either refused or told. What the library
 * is at run time counts: the program may have been compiled against an older one.
 */
#include "worker/stream/versions.h"

#include <stddef.h>

struct version_range {
	int from, below; /* rd_kafka_version(): 0xMMmmrrxx */
	bool refuse;
	bool new_protocol_only;
	const char *why;
};

static const struct version_range table[] = {
	{0, 0x02000000, true, false,
	 "it has no ListConsumerGroupOffsets with require_stable, without which committed progress cannot be read for certain"},
	{0, 0x020c0000, true, true, "the consumer group protocol is complete and supported from 2.12.0 on"},
	{0, 0x020a0100, false, false,
	 "releases below 2.10.1 are supported, but what was repaired since in transactions and rebalances is missing"},
};

enum rc versions_check(int version, bool new_group_protocol, struct log *log, struct err *err)
{
	int major = version >> 24 & 0xff, minor = version >> 16 & 0xff, patch = version >> 8 & 0xff;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const struct version_range *range = &table[i];
		if (version < range->from || version >= range->below || (range->new_protocol_only && !new_group_protocol))
			continue;
		if (range->refuse)
			return err_set(err, RC_FATAL, "librdkafka %d.%d.%d cannot be used: %s", major, minor, patch, range->why);
		log_warn(log, "stream", "older librdkafka", LOG_C("why", range->why), LOG_I("major", major), LOG_I("minor", minor),
		         LOG_I("patch", patch));
	}
	return RC_OK;
}
