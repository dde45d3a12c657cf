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
void demo_world_stop(struct demo_world *world); /* NULL is fine */

/* The folder of the demo's files: DIR given, or beside the program (build tree or installed). false: not found. */
bool demo_world_folder(const char *given, char *out, size_t out_bytes);

#endif
