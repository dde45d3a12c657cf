/*
 * option_value.h: single values of options, read and shown. Private to common/option*.c.
 */
#ifndef COMMON_OPTION_VALUE_H
#define COMMON_OPTION_VALUE_H

#include "common/option.h"

/* Reads text into the field as the option's kind. at: where it stands; NULL for a default. */
enum rc option_read_scalar(const struct config_option *o, const struct node *at, struct str text, void *field, struct arena *arena, struct err *err);
/* A number of the kind as a person would write it: 6000 of OPTION_DURATION is 6s. */
void option_show_number(enum option_kind kind, double value, struct buf *out);
/* Calls each(ctx, index, name) for the choices that have a name. */
void option_each_choice(const char *choices, void (*each)(void *ctx, int index, struct str name), void *ctx);

#endif
