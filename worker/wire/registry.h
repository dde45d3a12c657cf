/*
 * registry.h: what is known of the schema registry: schemas by id, and the ids of our own.
 *
 * Thread: any (locked), but for registry_learn and registry_refuse, which the control thread calls. Known schemas live as long
 * as the registry, so a pointer to one needs no lock.
 */
#ifndef WIRE_REGISTRY_H
#define WIRE_REGISTRY_H

#include "worker/job/settings.h"
#include "worker/wire/avro_schema.h"
#include "worker/wire/wire.h"

enum { REGISTRY_MAX_IDS = 2048, REGISTRY_MAX_OUTPUTS = 3 };

struct registry;

struct registry *registry_new(const struct settings *settings);
void registry_free(struct registry *registry);

/* One of our own, to be registered under subject. Its number is the order of the calls. Before any other thread. */
void registry_add_output(struct registry *registry, struct str subject, struct str schema);
/* False until it has one. */
bool registry_output_id(struct registry *registry, unsigned output, uint32_t *ret);

/* KNOWN: *ret is the schema. MISSING: given up for now. UNKNOWN: to be wanted. */
enum schema_state registry_find(struct registry *registry, uint32_t id, const struct avro_type **ret);

/* What a request to the registry brought. */
enum rc registry_learn(struct registry *registry, uint32_t id, struct str schema_text, int64_t now_us, struct err *err);
void registry_learn_output(struct registry *registry, struct str subject, uint32_t id);
enum registry_refusal { REGISTRY_NOT_FOUND, REGISTRY_UNREADABLE, REGISTRY_AWAY, REGISTRY_CONFLICT /* our own schemas only */ };
void registry_refuse(struct registry *registry, const struct wire_want *want, enum registry_refusal why, int64_t now_us, const char *words);

/* The rest of wire.h's registry side, on the registry itself. */
bool registry_wanted(struct registry *registry, int64_t now_us, struct wire_want *ret);
void registry_want(struct registry *registry, uint32_t id, int64_t now_us);
enum schema_state registry_state(struct registry *registry, uint32_t id, int64_t now_us);
enum rc registry_ready(struct registry *registry, struct err *err);

#endif
