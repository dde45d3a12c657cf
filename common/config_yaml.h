/*
 * config_yaml.h: between config.c and the YAML library. Private to common/config*.c.
 */
#ifndef COMMON_CONFIG_YAML_H
#define COMMON_CONFIG_YAML_H

#include "common/config.h"

/* The tree of the one document in source->text, whose bytes are valid UTF-8 without NUL. NULL when there is no document. */
enum rc config_yaml_read(struct arena *arena, const struct config_source *source, struct node **ret, struct err *err);

#endif
