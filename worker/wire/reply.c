/*
 * reply.c: reading the headers of a request that waits for its reply.
 *
 * The one idea: a header is the sender's to choose, so it chooses among topics that the operator has named, and nothing else:
 * without the list any sender could make the worker write anywhere that its principal may.
 *
 * Spring (ReplyingKafkaTemplate, names in KafkaHeaders) writes the partition as a big-endian int32; clients for Node write
 * it as decimal text. Four bytes can be either: digits would be a number beyond 800 million, which no topic has.
 */
#include "worker/wire/reply.h"

static const struct header *last_header(const struct record *rec, const char *name)
{
	for (uint32_t i = rec->header_count; i-- > 0;)
		if (str_is(rec->headers[i].name, name))
			return &rec->headers[i];
	return NULL;
}

static int32_t read_partition(struct str value)
{
	int64_t n = -1;
	bool is_text = value.len != 0 && value.len <= 10;
	for (size_t i = 0; i < value.len; i++)
		is_text = is_text && value.data[i] >= '0' && value.data[i] <= '9';
	if (is_text)
		return str_to_i64(value, &n) && n <= INT32_MAX ? (int32_t)n : -1;
	if (value.len != 4 || (unsigned char)value.data[0] > 0x7F)
		return -1;
	uint32_t big_endian = 0;
	for (unsigned i = 0; i < 4; i++)
		big_endian = big_endian << 8 | (unsigned char)value.data[i];
	return (int32_t)big_endian;
}

static bool is_listed(const struct str_list *topics, struct str name)
{
	for (uint32_t i = 0; i < topics->count; i++)
		if (str_eq(topics->items[i], name))
			return true;
	return false;
}

struct reply reply_read(const struct output_settings *settings, const struct record *rec)
{
	struct reply reply = {.partition = -1};
	if (rec->header_count == 0)
		return reply;
	const struct header *correlation = last_header(rec, "kafka_correlationId"), *topic = last_header(rec, "kafka_replyTopic");
	if (correlation != NULL && correlation->value.len <= REPLY_MAX_CORRELATION_BYTES)
		reply.correlation = correlation->value;
	if (topic == NULL || topic->value.len == 0)
		return reply;
	if (!is_listed(&settings->reply_topics, topic->value)) {
		reply.refused = true;
		return reply;
	}
	const struct header *partition = last_header(rec, "kafka_replyPartition");
	reply.topic = topic->value;
	if (partition != NULL)
		reply.partition = read_partition(partition->value);
	return reply;
}
