/*
 * demo_world.h: what the demo runs in: librdkafka's in-memory cluster and simulated models. Thread: main.
 */
#ifndef CLI_DEMO_WORLD_H
#define CLI_DEMO_WORLD_H

#include "worker/job/settings.h"

struct demo_world;

/* Starts both and points settings at them (brokers, base URLs, delivery, admin address). Topics of the settings and of the
 * policy's routes are made. */
enum rc demo_world_start(struct settings *settings, bool serve, struct demo_world **ret, struct err *err);
/* The models alone, slow enough for a kill to hit calls on the wire: for a demo whose Kafka is real. */
enum rc demo_world_models(struct settings *settings, struct demo_world **ret, struct err *err);
/* Calls that reached the models, and how many of them repeated an Idempotency-Key. */
enum rc demo_world_calls(const struct demo_world *world, int64_t *ret_calls, int64_t *ret_repeated, struct err *err);
void demo_world_stop(struct demo_world *world); /* NULL is fine */

/* The folder of the demo's files: DIR given, or beside the program (build tree or installed). false: not found. */
bool demo_world_folder(const char *given, char *out, size_t out_bytes);

#endif
