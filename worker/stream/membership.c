/*
 * membership.c: who this process is in its group.
 *
 * The one idea: a group throws out whoever is silent for too long, and gives a new member id to whoever comes back. librdkafka
 * (2.0.2) does not call the partitions lost when it learns this while it joins: it takes the new id and goes on holding them,
 * until a rebalance says otherwise, though others have had them meanwhile. The broker cannot see that either: it checks the
 * member, and the new one is in order. So the id under which the partitions were assigned is kept, and nothing is committed
 * under another.
 *
 * It decides nothing about partitions: assignment.c does.
 */
#include "worker/stream/membership.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "worker/stream/core.h"

bool membership_note(struct stream *s)
{
	char *id = rd_kafka_memberid(s->consumer);
	bool other = s->member != NULL && (id == NULL || strcmp(id, s->member) != 0);
	free(s->member);
	s->member = heap_strdup(id != NULL ? id : ""); /* empty: thrown out again, and the next assignment says more */
	if (id != NULL)
		rd_kafka_mem_free(s->consumer, id);
	return other;
}

void membership_forget(struct stream *s)
{
	free(s->member);
	s->member = NULL;
}

bool membership_is_current(const struct stream *s)
{
	char *id = rd_kafka_memberid(s->consumer);
	bool is = id != NULL && id[0] != '\0' && s->member != NULL && strcmp(id, s->member) == 0;
	if (id != NULL)
		rd_kafka_mem_free(s->consumer, id);
	return is;
}

/* librdkafka offers no accessors, but a documented way to write the metadata out: "CGMDv2:", generation (int32, host order),
 * group, member and instance with NULs. What is to be sent is looked at itself: the member may change between two questions. */
static bool is_sent_as(const rd_kafka_consumer_group_metadata_t *group, const char *member)
{
	static const char magic[] = "CGMDv2:";
	const size_t head = sizeof magic - 1 + sizeof(int32_t);
	void *data = NULL;
	size_t size = 0;
	rd_kafka_error_t *error = rd_kafka_consumer_group_metadata_write(group, &data, &size);
	if (error != NULL) {
		rd_kafka_error_destroy(error);
		return false;
	}
	bool known = size > head && memcmp(data, magic, sizeof magic - 1) == 0;
	bool is = true; /* an unknown form cannot be judged; the member id was looked at */
	if (known) {
		int32_t generation;
		memcpy(&generation, (char *)data + sizeof magic - 1, sizeof generation);
		const char *name = (char *)data + head, *end = (char *)data + size;
		const char *nul = memchr(name, '\0', (size_t)(end - name));
		size_t len = strlen(member) + 1;
		is = generation >= 0 && nul != NULL && (size_t)(end - nul - 1) >= len && memcmp(nul + 1, member, len) == 0;
	}
	rd_kafka_mem_free(NULL, data);
	return is;
}

/* A commit with an empty member id and no generation is not validated by the broker at all. */
rd_kafka_consumer_group_metadata_t *membership_group(const struct stream *s)
{
	if (s->consumer == NULL || rd_kafka_assignment_lost(s->consumer) || !membership_is_current(s))
		return NULL;
	rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(s->consumer);
	if (group == NULL || is_sent_as(group, s->member))
		return group;
	rd_kafka_consumer_group_metadata_destroy(group);
	return NULL;
}
