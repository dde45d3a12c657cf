/*
 * settings_check.c: what one setting asks of another.
 *
 * The one idea: a combination that cannot work is refused at load, at the line to change, with what to write there. Nothing
 * here needs a network.
 */
#include "worker/job/settings_table.h"

static const struct {
	const char *property, *advice;
} owned[] = {
	{"bootstrap.servers", "use kafka.brokers"},
	{"metadata.broker.list", "use kafka.brokers"},
	{"group.id", "use kafka.group"},
	{"group.instance.id", "use kafka.instance"},
	{"group.protocol", "use kafka.group_protocol"},
	{"session.timeout.ms", "use kafka.session_timeout"},
	{"transaction.timeout.ms", "use kafka.transaction_timeout"},
	{"transactional.id", "it is made from kafka.group and kafka.instance"},
	{"auto.offset.reset", "use kafka.start; an offset that is gone is never skipped silently"},
	{"enable.auto.commit", "offsets are committed with the outputs; use kafka.delivery"},
	{"enable.auto.offset.store", "offsets are committed with the outputs; use kafka.delivery"},
	{"isolation.level", "input is always read with read_committed"},
	{"enable.idempotence", "it is always on; use kafka.delivery"},
	{"partition.assignment.strategy", "it is always cooperative-sticky; use kafka.group_protocol"},
};

static enum rc check_properties(const struct settings *settings, const struct node *kafka, struct err *err)
{
	const struct node *properties = config_get(kafka, "properties");
	for (uint32_t i = 0; i < settings->kafka.properties.count; i++)
		for (size_t j = 0; j < sizeof owned / sizeof owned[0]; j++)
			if (str_is(settings->kafka.properties.items[i].name, owned[j].property))
				return config_error_hint(properties->entries[i].key, err, owned[j].advice, "\"%s\" cannot be set here", owned[j].property);
	return RC_OK;
}

static enum rc check_kafka(const struct settings *settings, const struct node *root, struct err *err)
{
	const struct node *kafka = config_get(root, "kafka"), *session = config_get(kafka, "session_timeout");
	if (settings->kafka.brokers.len == 0)
		return config_error(config_get(kafka, "brokers"), err, "at least one broker is needed");
	if (settings->kafka.group.len == 0)
		return config_error(config_get(kafka, "group"), err, "a group needs a name");
	if (!settings->kafka.classic_protocol && session != NULL)
		return config_error(session, err, "with group_protocol: consumer the brokers set the session timeout (group.consumer.session.timeout.ms)");
	return check_properties(settings, kafka, err);
}

/* A response written to an input topic would be read as a request, and answered, without end. */
static enum rc check_loop(const struct settings *settings, const struct node *root, struct err *err)
{
	const struct {
		const char *name;
		struct str topic;
	} outputs[] = {
		{"responses", settings->output.responses},
		{"decisions", settings->output.decisions},
		{"dead_letters", settings->output.dead_letters},
	};
	const struct node *output = config_get(root, "output"), *topics = config_get(config_get(root, "input"), "topics");
	for (unsigned i = 0; i < 3; i++) {
		const struct node *at = config_get(output, outputs[i].name);
		if (outputs[i].topic.len == 0)
			return config_error(at, err, "a topic needs a name");
		for (uint32_t j = 0; j < settings->input.topics.count; j++)
			if (str_eq(outputs[i].topic, settings->input.topics.items[j]))
				return config_error(at != NULL ? at : topics, err, "output.%s and input.topics are the same topic: the worker would read what it writes",
				                    outputs[i].name);
	}
	return RC_OK;
}

static enum rc check_input(struct settings *settings, const struct node *root, struct err *err)
{
	const struct node *input = config_get(root, "input"), *topics = config_get(input, "topics");
	if (settings->input.topics.count == 0)
		return config_error(topics, err, "at least one topic is needed");
	for (uint32_t i = 0; i < settings->input.topics.count; i++) {
		if (settings->input.topics.items[i].len == 0)
			return config_error(topics, err, "a topic needs a name");
		for (uint32_t j = 0; j < i; j++)
			if (str_eq(settings->input.topics.items[i], settings->input.topics.items[j]))
				return config_error(topics->entries[i].value, err, "this topic is in the list already");
	}
	if (settings->input.schema_dir.data != NULL)
		settings->input.schema_dir = config_path(&settings->arena, config_get(input, "schema_dir"), settings->input.schema_dir);
	return check_loop(settings, root, err);
}

static enum rc check_formats(const struct settings *settings, const struct node *root, struct err *err)
{
	const struct node *in = config_get(config_get(root, "input"), "format"), *out = config_get(config_get(root, "output"), "format");
	bool in_confluent = settings->input.format == FORMAT_AVRO_CONFLUENT, out_confluent = settings->output.format == FORMAT_AVRO_CONFLUENT;
	if ((in_confluent || out_confluent) && settings->registry.url.data == NULL)
		return config_error_hint(in_confluent ? in : out, err, "add \"registry: {url: http://localhost:8081}\"", "avro-confluent needs a schema registry");
	bool avro = settings->output.format == FORMAT_AVRO_CONFLUENT || settings->output.format == FORMAT_AVRO_SINGLE_OBJECT;
	if (settings->output.fields.count != 0 && avro)
		return config_error_hint(config_get(config_get(root, "output"), "fields"), err, "add \"format: json\" to output",
		                         "a shape of its own is only possible in JSON");
	return RC_OK;
}

static bool has_scheme(struct str url, const char *one, const char *other)
{
	return str_starts(url, str_of(one)) || str_starts(url, str_of(other));
}

static enum rc check_services(const struct settings *settings, const struct node *root, struct err *err)
{
	const struct node *redis = config_get(config_get(root, "redis"), "url"), *registry = config_get(config_get(root, "registry"), "url");
	if (registry != NULL && !has_scheme(settings->registry.url, "http://", "https://"))
		return config_error_hint(registry, err, "for example http://localhost:8081", "a URL with http:// or https:// is expected");
	if (settings->redis.url.data == NULL)
		return RC_OK;
	if (!has_scheme(settings->redis.url, "redis://", "unix://"))
		return config_error_hint(redis, err, "for example redis://localhost:6379/0", "a URL with redis:// or unix:// is expected");
	if (settings->cache.enabled && settings->cache.secret.data == NULL && !settings->no_secrets)
		return config_error_hint(redis, err, "add \"cache: {secret_env: POINTSMAN_CACHE_SECRET}\"",
		                         "a shared cache needs a secret, the same in all replicas: without one its keys would tell the prompts");
	return RC_OK;
}

enum rc settings_check(struct settings *settings, const struct node *root, struct err *err)
{
	enum rc rc = check_kafka(settings, root, err);
	if (rc == RC_OK)
		rc = check_input(settings, root, err);
	if (rc == RC_OK)
		rc = check_formats(settings, root, err);
	if (rc == RC_OK)
		rc = check_services(settings, root, err);
	if (rc == RC_OK)
		rc = settings_check_models(settings, config_get(root, "models"), err);
	if (rc != RC_OK)
		return rc;
	if (settings->engine.default_deadline_ms > settings->engine.max_deadline_ms)
		settings->engine.default_deadline_ms = settings->engine.max_deadline_ms; /* the one given is clamped like a record's */
	if (str_is(settings->admin.listen, "off"))
		settings->admin.listen = STR_NULL;
	const struct node *policy = config_get(root, "policy");
	if (settings->policy_file.len == 0)
		return config_error(policy, err, "the policy's file is expected");
	settings->policy_file = config_path(&settings->arena, policy, settings->policy_file);
	return RC_OK;
}
