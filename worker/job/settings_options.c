/*
 * settings_options.c: the tables of all settings but the models'.
 *
 * The one idea: a setting is one row. The row's words are what the reference, the example and the editor show, so they are
 * written for the person who fills in the file.
 */
#include "worker/job/settings_table.h"

#define AT(section, field) offsetof(struct section##_settings, field)
#define END {.name = NULL}

static enum rc parse_group_protocol(const struct node *node, void *field, struct arena *arena, struct err *err)
{
	(void)arena; /* nothing is kept */
	if (node->kind == NODE_SCALAR && (str_is(node->scalar, "classic") || str_is(node->scalar, "consumer"))) {
		*(bool *)field = str_is(node->scalar, "classic");
		return RC_OK;
	}
	return config_error_hint(node, err, "classic or consumer", "unknown group protocol");
}

static void show_group_protocol(const void *field, struct buf *out)
{
	buf_cstr(out, *(const bool *)field ? "classic" : "consumer");
}

static const struct config_option kafka[] = {
	{.name = "brokers", .kind = OPTION_STR, .offset = AT(kafka, brokers), .required = true, .example = "localhost:9092",
	 .doc = "Brokers to start from: host:port, comma separated."},
	{.name = "group", .kind = OPTION_STR, .offset = AT(kafka, group), .fallback = "pointsman",
	 .doc = "Consumer group. Replicas with the same group share the partitions."},
	{.name = "instance", .kind = OPTION_STR, .offset = AT(kafka, instance), .example = "# triage-0",
	 .doc = "Stable name of this replica (StatefulSet): static membership, and recovery within a second after a restart. Leave it "
	        "unset for a Deployment. Two living replicas must never share one."},
	{.name = "delivery", .kind = OPTION_ENUM, .offset = AT(kafka, delivery), .fallback = "exactly_once", .choices = "exactly_once|at_least_once",
	 .doc = "exactly_once: outputs and progress are committed in one transaction, and readers use read_committed. at_least_once: no "
	        "transactions; after a crash some records are answered again."},
	{.name = "start", .kind = OPTION_ENUM, .offset = AT(kafka, start), .fallback = "earliest", .choices = "earliest|latest",
	 .doc = "Where a partition begins for which the group has no committed offset."},
	{.name = "group_protocol", .kind = OPTION_CUSTOM, .offset = AT(kafka, classic_protocol), .fallback = "classic", .parse = parse_group_protocol,
	 .show = show_group_protocol, .schema_json = "\"enum\":[\"classic\",\"consumer\"]",
	 .doc = "`classic` or `consumer`: which rebalance protocol the group speaks. `consumer` needs librdkafka 2.12 and brokers of 4.0 or newer."},
	{.name = "session_timeout", .kind = OPTION_DURATION, .offset = AT(kafka, session_timeout_ms), .fallback = "6s", .min = 1000, .max = 1800000,
	 .doc = "How long a silent replica keeps its partitions. The brokers bound it by group.min.session.timeout.ms."},
	{.name = "transaction_timeout", .kind = OPTION_DURATION, .offset = AT(kafka, transaction_timeout_ms), .fallback = "10s", .min = 1000, .max = 900000,
	 .doc = "How long a dead replica's open transaction can hold up read_committed readers."},
	{.name = "drain_on_revoke", .kind = OPTION_DURATION, .offset = AT(kafka, drain_on_revoke_ms), .fallback = "2s", .min = 0, .max = 60000,
	 .doc = "How long calls on the wire may finish before their partition is handed over."},
	{.name = "properties", .kind = OPTION_PAIRS, .offset = AT(kafka, properties), .example = "# {security.protocol: SASL_SSL}",
	 .doc = "Passed to librdkafka as they are (security.*, sasl.*, ssl.*, tuning). Those that pointsman owns are refused."},
	END,
};

static const struct config_option commit[] = {
	{.name = "max_records", .kind = OPTION_I64, .offset = AT(commit, max_records), .fallback = "2000", .min = 1, .max = 100000,
	 .doc = "Records in one transaction, at most."},
	{.name = "max_bytes", .kind = OPTION_BYTES, .offset = AT(commit, max_bytes), .fallback = "16 MB", .min = 1000, .max = 1e9,
	 .doc = "Bytes of outputs in one transaction, at most."},
	{.name = "interval", .kind = OPTION_DURATION, .offset = AT(commit, interval_ms), .fallback = "1s", .min = 10, .max = 60000,
	 .doc = "How often progress is committed when no output asks for it, and with at_least_once."},
	END,
};

static const struct config_option input_fields[] = {
	{.name = "id", .kind = OPTION_STR, .offset = AT(input, field_id), .example = "# ticket.number", .doc = "Path of the request's id. Without one: topic-partition-offset."},
	{.name = "prompt", .kind = OPTION_STR, .offset = AT(input, field_prompt), .example = "# '{ticket.subject}: {ticket.body}'",
	 .doc = "Path of the prompt, or a text with paths in braces."},
	{.name = "messages", .kind = OPTION_STR, .offset = AT(input, field_messages), .doc = "Path of a list of {role, content}."},
	{.name = "tenant", .kind = OPTION_STR, .offset = AT(input, field_tenant), .doc = "Path of the tenant. Caches and budgets are never shared between tenants."},
	{.name = "conversation_id", .kind = OPTION_STR, .offset = AT(input, field_conversation_id), .doc = "Path of the conversation's id."},
	{.name = "job_id", .kind = OPTION_STR, .offset = AT(input, field_job_id), .doc = "Path of the id of the batch job that the record belongs to."},
	{.name = "deadline", .kind = OPTION_STR, .offset = AT(input, field_deadline), .doc = "Path of the deadline, milliseconds since 1970."},
	{.name = "priority", .kind = OPTION_STR, .offset = AT(input, field_priority), .doc = "Path of the priority, a whole number; higher is sooner."},
	{.name = "embedding", .kind = OPTION_STR, .offset = AT(input, field_embedding), .doc = "Path of a list of numbers: the prompt's embedding."},
	{.name = "route_hint", .kind = OPTION_STR, .offset = AT(input, field_route_hint), .doc = "Path of a route's name that the sender suggests."},
	{.name = "attributes", .kind = OPTION_PAIRS, .offset = AT(input, field_attributes), .example = "# {product: ticket.product}",
	 .doc = "Names and paths of further fields that rules and prompts may use."},
	END,
};

static const struct config_option input[] = {
	{.name = "topics", .kind = OPTION_STR_LIST, .offset = AT(input, topics), .fallback = "llm.requests", .doc = "Topics with the requests."},
	{.name = "format", .kind = OPTION_ENUM, .offset = AT(input, format), .fallback = "auto", .choices = "auto|json|avro-single-object|avro-confluent",
	 .doc = "Format of the requests. auto looks at each record's first bytes."},
	{.name = "max_bytes", .kind = OPTION_BYTES, .offset = AT(input, max_bytes), .fallback = "4 MB", .min = 1000, .max = 1e9,
	 .doc = "A larger value is not decoded; it becomes a dead letter of class too_large."},
	{.name = "ordering", .kind = OPTION_ENUM, .offset = AT(input, ordering), .fallback = "none", .choices = "none|key",
	 .doc = "key: a record is begun only when the one before it of the same partition and key is committed, so two updates of one "
	        "ticket are never answered swapped; other keys go on, and records without a key have no order. A key then has one call "
	        "at a time. Destination topics, parked records, dead letters and what is redriven from them keep no order among each other."},
	{.name = "fields", .kind = OPTION_SECTION, .offset = 0, .sub = input_fields,
	 .doc = "Where the fields are in your own records (paths such as ticket.body). Without a path the field has its own name."},
	{.name = "schema_dir", .kind = OPTION_STR, .offset = AT(input, schema_dir), .example = "# schemas/",
	 .doc = "Folder with your `.avsc` files, for avro-single-object."},
	{.name = "schema_missing_after", .kind = OPTION_DURATION, .offset = AT(input, schema_missing_after_ms), .fallback = "5m", .min = 0, .max = 86400000,
	 .doc = "How long a schema may stay unknown to the registry before its records become dead letters."},
	END,
};

static const struct config_option output[] = {
	{.name = "responses", .kind = OPTION_STR, .offset = AT(output, responses), .fallback = "llm.responses", .doc = "Topic of the responses."},
	{.name = "decisions", .kind = OPTION_STR, .offset = AT(output, decisions), .fallback = "llm.decisions", .doc = "Topic of the decision records (audit)."},
	{.name = "dead_letters", .kind = OPTION_STR, .offset = AT(output, dead_letters), .fallback = "llm.dead-letters",
	 .doc = "Topic of the requests that could not be served, as they came."},
	{.name = "format", .kind = OPTION_ENUM, .offset = AT(output, format), .fallback = "input", .choices = "|json|avro-single-object|avro-confluent|input",
	 .doc = "Format of responses and decisions. input: as the request came."},
	{.name = "carry", .kind = OPTION_STR_LIST, .offset = AT(output, carry), .example = "# [ticket.queue, ticket.product]",
	 .doc = "Paths of input fields that are copied to the response's and the decision's attributes."},
	{.name = "fields", .kind = OPTION_PAIRS, .offset = AT(output, fields), .example = "# {number: id, reply: text}",
	 .doc = "Format json: the response's own shape, as names and the fields that fill them."},
	{.name = "dead_letter_expired", .kind = OPTION_BOOL, .offset = AT(output, dead_letter_expired), .fallback = "false",
	 .doc = "Whether requests past their deadline become dead letters too."},
	{.name = "max_bytes", .kind = OPTION_BYTES, .offset = AT(output, max_bytes), .fallback = "1 MB", .min = 1000, .max = 1e9,
	 .doc = "Size of one output record, at most. Not above the topics' max.message.bytes."},
	{.name = "headers", .kind = OPTION_STR_LIST, .offset = AT(output, header_allow), .example = "# [x-request-id]",
	 .doc = "Request headers copied to response, decision and forwarded record, beside traceparent, tracestate and ce_*. `*` for all."},
	{.name = "reply_topics", .kind = OPTION_STR_LIST, .offset = AT(output, reply_topics), .example = "# [billing.replies]",
	 .doc = "Topics that a request may name as the place for its response, by Spring's headers kafka_replyTopic and kafka_replyPartition. "
	        "Another topic is not honoured: the response goes to `responses`."},
	END,
};

static const struct config_option registry[] = {
	{.name = "url", .kind = OPTION_STR, .offset = AT(registry, url), .example = "# http://localhost:8081",
	 .doc = "Schema registry with Confluent's API; the URL may carry a path. Needed for avro-confluent."},
	{.name = "user", .kind = OPTION_STR, .offset = AT(registry, user), .doc = "User for basic authentication."},
	{.name = "password", .kind = OPTION_SECRET, .offset = AT(registry, password), .secret = true, .example = "# REGISTRY_PASSWORD",
	 .doc = "Password for basic authentication."},
	{.name = "bearer", .kind = OPTION_SECRET, .offset = AT(registry, bearer), .secret = true, .example = "# REGISTRY_TOKEN", .doc = "Bearer token."},
	{.name = "timeout", .kind = OPTION_DURATION, .offset = AT(registry, timeout_ms), .fallback = "5s", .min = 10, .max = 300000,
	 .doc = "How long one look-up may take."},
	END,
};

static const struct config_option redis[] = {
	{.name = "url", .kind = OPTION_STR, .offset = AT(redis, url), .example = "# redis://localhost:6379/0",
	 .doc = "redis://host:port/db or unix:///path?db=N: the cache that replicas share. Without it decisions are cached in memory only."},
	{.name = "password", .kind = OPTION_SECRET, .offset = AT(redis, password), .secret = true, .example = "# REDIS_PASSWORD", .doc = "Password for AUTH."},
	{.name = "key_prefix", .kind = OPTION_STR, .offset = AT(redis, key_prefix), .fallback = "pm", .doc = "First part of every key."},
	{.name = "timeout", .kind = OPTION_DURATION, .offset = AT(redis, timeout_ms), .fallback = "100ms", .min = 1, .max = 60000,
	 .doc = "How long an answer may take; after that the decision is made without the cache."},
	END,
};

static const struct config_option cache[] = {
	{.name = "enabled", .kind = OPTION_BOOL, .offset = AT(cache, enabled), .fallback = "true", .doc = "Whether decisions are cached at all."},
	{.name = "near_entries", .kind = OPTION_U32, .offset = AT(cache, near_entries), .fallback = "50000", .min = 0, .max = 1e8,
	 .doc = "Decisions kept in the process' own memory. 0: none."},
	{.name = "ttl", .kind = OPTION_DURATION, .offset = AT(cache, ttl_ms), .fallback = "24h", .min = 1000, .max = 86400000.0 * 365,
	 .doc = "How long a decision is kept."},
	{.name = "unsure_ttl", .kind = OPTION_DURATION, .offset = AT(cache, unsure_ttl_ms), .fallback = "10m", .min = 1000, .max = 86400000.0 * 365,
	 .doc = "How long an unsure decision is kept."},
	{.name = "secret", .kind = OPTION_SECRET, .offset = AT(cache, secret), .secret = true, .example = "# POINTSMAN_CACHE_SECRET",
	 .doc = "Key of the cache's names, the same in all replicas: without it nobody can guess a prompt from a key. Required with redis.url."},
	END,
};

static const struct config_option engine[] = {
	{.name = "max_jobs", .kind = OPTION_U32, .offset = AT(engine, max_jobs), .fallback = "4096", .min = 1, .max = 1e6,
	 .doc = "Records in the worker at once, at most."},
	{.name = "deciders", .kind = OPTION_U32, .offset = AT(engine, deciders), .fallback = "0", .min = 0, .max = 256,
	 .doc = "Threads that decide. 0: one per core."},
	{.name = "max_bytes", .kind = OPTION_BYTES, .offset = AT(engine, max_bytes), .fallback = "256 MB", .min = 1e6, .max = 1e12,
	 .doc = "Memory for the records in the worker; when it is used up, nothing new is read."},
	{.name = "shutdown_grace", .kind = OPTION_DURATION, .offset = AT(engine, shutdown_grace_ms), .fallback = "120s", .min = 0, .max = 3600000,
	 .doc = "How long calls on the wire may finish after SIGTERM. The orchestrator's own grace must be longer."},
	{.name = "default_deadline", .kind = OPTION_DURATION, .offset = AT(engine, default_deadline_ms), .fallback = "10m", .min = 1000, .max = 86400000.0 * 30,
	 .doc = "Deadline of a request that brings none, from the moment it is read."},
	{.name = "max_deadline", .kind = OPTION_DURATION, .offset = AT(engine, max_deadline_ms), .fallback = "24h", .min = 1000, .max = 86400000.0 * 30,
	 .doc = "A deadline further away is taken as this far away."},
	{.name = "attempts", .kind = OPTION_U32, .offset = AT(engine, attempts), .fallback = "4", .min = 1, .max = 100,
	 .doc = "Model calls that one request may use up, over all models and retries. What routing stages ask has a budget of its own."},
	END,
};

static const struct config_option admin[] = {
	{.name = "listen", .kind = OPTION_STR, .offset = AT(admin, listen), .fallback = "127.0.0.1:9464",
	 .doc = "Address of the admin pages (/metrics, /healthz, /readyz, /status). `off`: none."},
	END,
};

static const struct config_option log_section[] = {
	{.name = "level", .kind = OPTION_ENUM, .offset = AT(log, level), .fallback = "info", .choices = "debug|info|warn|error", .doc = "The least level written."},
	{.name = "format", .kind = OPTION_ENUM, .offset = AT(log, format), .fallback = "auto", .choices = "auto|logfmt|json",
	 .doc = "auto: logfmt on a terminal, JSON otherwise."},
	END,
};

#define SECTION(section, words) {.name = #section, .kind = OPTION_SECTION, .offset = offsetof(struct settings, section), .sub = section, .doc = words}

const struct config_option settings_options[] = {
	SECTION(kafka, "The brokers, and how records are taken from them."),
	SECTION(commit, "How finished records are grouped into transactions."),
	SECTION(input, "The requests."),
	SECTION(output, "Where responses, decisions and dead letters go."),
	SECTION(registry, "The schema registry."),
	SECTION(redis, "The cache that all replicas share."),
	SECTION(cache, "Decisions that were made before."),
	{.name = "models", .kind = OPTION_MAPS, .offset = offsetof(struct settings, models), .sub = settings_model_options,
	 .item_bytes = sizeof(struct model_settings), .required = true, .doc = "The models that routes can name."},
	{.name = "policy", .kind = OPTION_STR, .offset = offsetof(struct settings, policy_file), .required = true, .example = "policy.yaml",
	 .doc = "File with the routes and the stages that choose between them; relative to this file's folder."},
	SECTION(engine, "Bounds of the worker."),
	SECTION(admin, "The admin pages."),
	{.name = "log", .kind = OPTION_SECTION, .offset = offsetof(struct settings, log), .sub = log_section, .doc = "Logs on stderr."},
	END,
};
