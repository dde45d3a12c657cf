/*
 * tell.h: small helpers that the files telling records share.
 */
#ifndef WIRE_TELL_H
#define WIRE_TELL_H

#include "worker/job/job.h"
#include "worker/job/settings.h"
#include "worker/wire/sink.h"

enum { TELL_MESSAGE_BYTES = 512, TELL_REASON_BYTES = 1024, TELL_NAME_BYTES = 256 };

static inline struct str tell_or_empty(struct str s)
{
	return s.data != NULL ? s : STR("");
}
static inline struct str tell_cut(struct str s, size_t max_bytes)
{
	if (s.data != NULL)
		s.len = str_utf8_cut(s, max_bytes);
	return s;
}
static inline struct str tell_model(const struct settings *settings, int64_t index)
{
	return index >= 0 && index < settings->model_count ? settings->models[index].name : STR_NULL;
}
void tell_attributes(struct sink *s, const struct attribute *list, uint32_t count);
/* 0 is null. */
void tell_optional(struct sink *s, const char *name, int64_t n);

#endif
