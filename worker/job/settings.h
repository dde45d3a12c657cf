/*
 * settings.h: the configuration file as structs. The option tables that fill them (and write the example, the
 * reference and the JSON Schema) are settings_options.c and settings_models.c; what one setting asks of another is
 * settings_check.c.
 *
 * Thread: read-only after settings_load. Memory: the settings' own arena; settings_free.
 */
#ifndef JOB_SETTINGS_H
#define JOB_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/config.h"
#include "common/err.h"

enum wire_format { FORMAT_AUTO, FORMAT_JSON, FORMAT_AVRO_SINGLE_OBJECT, FORMAT_AVRO_CONFLUENT, FORMAT_INPUT };
enum delivery { DELIVERY_EXACTLY_ONCE, DELIVERY_AT_LEAST_ONCE };
enum ordering { ORDERING_NONE, ORDERING_KEY };
enum start_at { START_EARLIEST, START_LATEST };
enum provider_kind { PROVIDER_OPENAI };
enum when_full { FULL_WAIT, FULL_NEXT, FULL_PARK };

struct kafka_settings {
	struct str brokers, group;
	struct str instance; /* data NULL: none */
	int delivery;        /* enum delivery */
	int start;           /* enum start_at */
	bool classic_protocol; /* group_protocol: classic (default) or consumer */
	int64_t session_timeout_ms, transaction_timeout_ms, drain_on_revoke_ms;
	struct pair_list properties; /* to librdkafka as they are; the ones the design owns are refused */
};
struct commit_settings {
	int64_t max_records, max_bytes, interval_ms; /* interval: at_least_once and idle progress */
};
struct input_settings {
	struct str_list topics;
	int format; /* enum wire_format */
	int ordering; /* enum ordering */
	size_t max_bytes;
	/* field mapping; data NULL: the record's own name */
	struct str field_id, field_prompt, field_messages, field_tenant, field_conversation_id, field_job_id, field_deadline,
	    field_priority, field_embedding, field_route_hint;
	struct pair_list field_attributes; /* name: path */
	struct str schema_dir;             /* foreign *.avsc for single-object input; data NULL: none */
	int64_t schema_missing_after_ms;
};
struct output_settings {
	struct str responses, decisions, dead_letters;
	int format; /* enum wire_format; FORMAT_INPUT: as the record came */
	struct str_list carry;    /* input paths copied to response and decision */
	struct pair_list fields;  /* json: the response's own shape */
	bool dead_letter_expired;
	size_t max_bytes;         /* of one output record */
	struct str_list reply_topics; /* that a request's kafka_replyTopic may name */
	struct str_list header_allow; /* beside traceparent, tracestate, ce_*; "*" for all */
};
struct registry_settings {
	struct str url; /* data NULL: none; may carry a path */
	struct str user, password, bearer;
	int64_t timeout_ms;
};
struct redis_settings {
	struct str url; /* data NULL: none. redis://[:password@]host:port/db or unix:///path?db=N */
	struct str password;
	struct str key_prefix;
	int64_t timeout_ms;
};
struct cache_settings {
	bool enabled;
	uint32_t near_entries;
	int64_t ttl_ms, unsure_ttl_ms;
	struct str secret; /* data NULL: none given */
};
struct price {
	bool given, free;
	double input, cached, output; /* USD per million tokens */
};
struct model_settings {
	struct str name;
	int provider; /* enum provider_kind */
	struct str base_url;
	struct str model;   /* the provider's name of it */
	struct str api_key; /* resolved from api_key_env or api_key_file; data NULL: none */
	struct str auth_header; /* data NULL: Authorization: Bearer */
	struct str token_file;  /* resolved path; api_key holds its first line. data NULL: none */
	struct pair_list headers, query;
	struct pair_list params_set;   /* JSON scalars as text */
	struct str_list params_drop;
	struct pair_list params_rename;
	struct price price;
	int64_t concurrency; /* calls on the wire at once */
	uint32_t max_waiting; /* records that may wait for a place; 0: no share of its own */
	int when_full;        /* enum when_full */
	struct str park_topic; /* data NULL: none */
	int64_t timeout_ms, connect_timeout_ms;
	int64_t max_answer_bytes;
	struct pair_list tags; /* words that guards choose by */
	int64_t context_tokens; /* prompt and answer together; 0: not known */
	struct str_list allow_addresses; /* "link-local" lifts the refusal */
	const struct node *at;
};
struct engine_settings {
	uint32_t max_jobs, deciders; /* deciders 0: one per core */
	size_t max_bytes;
	int64_t shutdown_grace_ms, default_deadline_ms, max_deadline_ms;
	uint32_t attempts; /* budget per record */
};
struct admin_settings {
	struct str listen; /* data NULL: off */
};
struct log_settings {
	int level;  /* enum log_level */
	int format; /* enum log_format */
};

struct settings {
	struct arena arena;
	struct str file; /* path as given; relative paths in it resolve against its folder */
	bool no_secrets; /* those that could not be read were left out */
	struct kafka_settings kafka;
	struct commit_settings commit;
	struct input_settings input;
	struct output_settings output;
	struct registry_settings registry;
	struct redis_settings redis;
	struct cache_settings cache;
	struct model_settings *models;
	uint32_t model_count;
	struct str policy_file; /* resolved path */
	struct engine_settings engine;
	struct admin_settings admin;
	struct log_settings log;
};

/* Reads, checks and fills defaults. On failure err holds file:line:column, the line, a caret and advice. */
enum rc settings_load(const char *path, struct settings *ret, struct err *err);
/* The same, but a secret that is missing stays absent: for who looks at a configuration and calls no model. */
enum rc settings_load_no_secrets(const char *path, struct settings *ret, struct err *err);
/* The same from text; name stands for the file in messages. */
enum rc settings_parse(const char *name, struct str text, struct settings *ret, struct err *err);
void settings_free(struct settings *settings);

/* Index of the model, -1 when there is none of that name. */
int settings_model(const struct settings *settings, struct str name);
/* Whether some model parks its records there. */
bool settings_is_park_topic(const struct settings *settings, struct str topic);

/* What the option table says of itself. */
void settings_write_example(struct buf *out);
void settings_write_reference(struct buf *out); /* Markdown */
void settings_write_schema(struct buf *out);    /* JSON Schema draft 2020-12 */
/* The effective configuration with secrets replaced by "***". */
void settings_write_effective(const struct settings *settings, struct buf *out);

#endif
