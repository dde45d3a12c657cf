/*
 * kafka_conf.c: what the worker asks of librdkafka, and what the user may change.
 *
 * The one idea: the settings on which the promise rests are set here and nowhere else, and the user's properties may not
 * name them. A property that only newer libraries know is set softly: unknown is fine, refused is not.
 */
#include "worker/stream/kafka_conf.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const owned[] = {
	"isolation.level",   "enable.auto.commit",     "enable.auto.offset.store", "auto.offset.reset",   "transactional.id",
	"group.id",          "transaction.timeout.ms", "enable.idempotence",       "bootstrap.servers",   "metadata.broker.list",
	"group.instance.id", "session.timeout.ms",     "group.protocol",           "enable.partition.eof", "auto.commit.enable",
	"partition.assignment.strategy", "heartbeat.interval.ms", "partitioner",
};

/* Thread: librdkafka's. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	const struct kafka_client *client = rd_kafka_opaque(rk);
	struct log *log = client != NULL ? client->log : NULL; /* tools give none: silence */
	enum log_level at = level <= 3 ? LOG_WARN : level <= 4 ? LOG_WARN : level <= 5 ? LOG_INFO : LOG_DEBUG;
	if (strcmp(facility, "CONFWARN") == 0) /* a consumer's property is given to the producer too, and the other way round */
		at = LOG_DEBUG;
	LOG_AT(log, at, "stream", "librdkafka", LOG_C("facility", facility), LOG_C("text", text), LOG_C("client", rd_kafka_name(rk)));
}

enum rc kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
	char why[256];
	if (rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
		return RC_OK;
	return err_set(err, RC_BAD_INPUT, "kafka.properties: %s=%s is refused: %s", name, value, why);
}

/* Sets what newer libraries only know. */
static void set_soft(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[256];
	(void)rd_kafka_conf_set(conf, name, value, why, sizeof why); /* an older library: its default does */
}

static enum rc set_number(rd_kafka_conf_t *conf, const char *name, int64_t value, struct err *err)
{
	char text[24];
	snprintf(text, sizeof text, "%lld", (long long)value);
	return kafka_conf_set(conf, name, text, err);
}

static enum rc set_str(rd_kafka_conf_t *conf, const char *name, struct str value, struct err *err)
{
	char *text = heap_zalloc(value.len + 1, 1);
	if (value.len > 0)
		memcpy(text, value.data, value.len);
	enum rc rc = kafka_conf_set(conf, name, text, err);
	free(text);
	return rc;
}

struct default_property {
	const char *name, *value;
};

/* The user's own value stays; what the promise rests on cannot be among the user's (owned). */
static enum rc set_all(rd_kafka_conf_t *conf, const struct pair_list *users, const struct default_property *all, size_t count,
                       struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		bool named = false;
		for (uint32_t k = 0; k < users->count; k++)
			named = named || str_is(users->items[k].name, all[i].name);
		if (named)
			continue;
		enum rc rc = kafka_conf_set(conf, all[i].name, all[i].value, err);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc set_properties(rd_kafka_conf_t *conf, const struct pair_list *properties, struct err *err)
{
	for (uint32_t i = 0; i < properties->count; i++) {
		const struct pair *pair = &properties->items[i];
		for (size_t k = 0; k < sizeof owned / sizeof owned[0]; k++)
			if (str_is(pair->name, owned[k]))
				return err_set(err, RC_BAD_INPUT, "kafka.properties: %s is the worker's own: exactly once depends on it", owned[k]);
		char name[128];
		if (pair->name.len >= sizeof name)
			return err_set(err, RC_BAD_INPUT, "kafka.properties: a name of %zu characters is none", pair->name.len);
		snprintf(name, sizeof name, "%.*s", STR_ARG(pair->name));
		enum rc rc = set_str(conf, name, pair->value, err);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

enum rc kafka_conf_base(const struct settings *settings, struct kafka_client *client, rd_kafka_conf_t **ret, struct err *err)
{
	static const struct default_property defaults[] = {
		{"client.id", "pointsman"},
		{"socket.keepalive.enable", "true"},
		{"reconnect.backoff.max.ms", "2000"},
		{"fetch.message.max.bytes", "262144"}, /* a partition; a larger message comes all the same, alone */
		{"retry.backoff.ms", "10"}, /* the default of 100 turns back-to-back transactions of 15 ms into 90-140 ms */
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set_log_cb(conf, on_log);
	rd_kafka_conf_set_opaque(conf, client);
	set_soft(conf, "retry.backoff.max.ms", "100");
	enum rc rc = set_all(conf, &settings->kafka.properties, defaults, sizeof defaults / sizeof defaults[0], err);
	if (rc == RC_OK)
		rc = set_str(conf, "bootstrap.servers", settings->kafka.brokers, err);
	if (rc == RC_OK)
		rc = set_properties(conf, &settings->kafka.properties, err);
	if (rc != RC_OK) {
		rd_kafka_conf_destroy(conf);
		return rc;
	}
	*ret = conf;
	return RC_OK;
}

static enum rc set_group(rd_kafka_conf_t *conf, const struct kafka_settings *kafka, struct err *err)
{
	enum rc rc = set_str(conf, "group.id", kafka->group, err);
	if (rc == RC_OK && kafka->instance.data != NULL)
		rc = set_str(conf, "group.instance.id", kafka->instance, err);
	if (rc != RC_OK)
		return rc;
	if (!kafka->classic_protocol) /* assignor, session and heartbeat are the broker's then */
		return kafka_conf_set(conf, "group.protocol", "consumer", err);
	int64_t heartbeat = kafka->session_timeout_ms / 4;
	rc = kafka_conf_set(conf, "partition.assignment.strategy", "cooperative-sticky", err);
	if (rc == RC_OK)
		rc = set_number(conf, "session.timeout.ms", kafka->session_timeout_ms, err);
	if (rc == RC_OK)
		rc = set_number(conf, "heartbeat.interval.ms", heartbeat > 3000 ? 3000 : heartbeat < 1 ? 1 : heartbeat, err);
	return rc;
}

enum rc kafka_conf_consumer(const struct settings *settings, struct kafka_client *client, rd_kafka_conf_t **ret, struct err *err)
{
	static const struct default_property fixed[] = {
		{"enable.auto.commit", "false"},
		{"enable.auto.offset.store", "false"},
		{"auto.offset.reset", "error"}, /* where to start is decided here, and committed before the first dispatch */
		{"isolation.level", "read_committed"},
		{"enable.partition.eof", "true"}, /* tells the position behind transaction markers */
		{"queued.max.messages.kbytes", "2048"}, /* counts per partition */
		{"fetch.error.backoff.ms", "100"},
	};
	rd_kafka_conf_t *conf;
	enum rc rc = kafka_conf_base(settings, client, &conf, err);
	if (rc != RC_OK)
		return rc;
	set_soft(conf, "fetch.queue.backoff.ms", "20");
	rc = set_all(conf, &settings->kafka.properties, fixed, sizeof fixed / sizeof fixed[0], err);
	if (rc == RC_OK)
		rc = set_group(conf, &settings->kafka, err);
	if (rc != RC_OK) {
		rd_kafka_conf_destroy(conf);
		return rc;
	}
	rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_OFFSET_COMMIT |
	                                   RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT);
	*ret = conf;
	return RC_OK;
}

enum rc kafka_conf_producer(const struct settings *settings, struct kafka_client *client, const char *transactional_id,
                            rd_kafka_conf_t **ret, struct err *err)
{
	static const struct default_property fixed[] = {
		{"enable.idempotence", "true"},
		{"partitioner", "murmur2_random"}, /* as Java does */
		{"delivery.report.only.error", "true"},
		{"queue.buffering.max.messages", "10000000"}, /* batches are bounded before they get here */
		{"queue.buffering.max.kbytes", "2097151"},
	};
	rd_kafka_conf_t *conf;
	enum rc rc = kafka_conf_base(settings, client, &conf, err);
	if (rc != RC_OK)
		return rc;
	int64_t message_max = (int64_t)settings->output.max_bytes + 64 * 1024; /* key and headers beside the value */
	rc = set_all(conf, &settings->kafka.properties, fixed, sizeof fixed / sizeof fixed[0], err);
	if (rc == RC_OK)
		rc = set_number(conf, "message.max.bytes", message_max < 1000000 ? 1000000 : message_max, err);
	if (rc == RC_OK && transactional_id != NULL)
		rc = kafka_conf_set(conf, "transactional.id", transactional_id, err);
	if (rc == RC_OK && transactional_id != NULL)
		rc = set_number(conf, "transaction.timeout.ms", settings->kafka.transaction_timeout_ms, err);
	if (rc != RC_OK) {
		rd_kafka_conf_destroy(conf);
		return rc;
	}
	*ret = conf;
	return RC_OK;
}

enum rc kafka_conf_client(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret, struct err *err)
{
	char why[512];
	rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
	if (rk == NULL) {
		rd_kafka_conf_destroy(conf);
		return err_set(err, RC_BAD_INPUT, "kafka: no client with these settings: %s", why);
	}
	*ret = rk;
	return RC_OK;
}
