/*
 * pii_record.c: personal data in everything of a record that a model could get to see.
 *
 * The one idea: what is sent is more than the text that is routed: all messages, what templates can insert (attributes, tenant, id)
 * and what goes along with the call (stop words, the response format). All of it is looked at, once, uncut.
 */
#include "worker/route/pii.h"

struct look {
	struct pii_record *record;
	const char *part;
	uint32_t index;
};

static bool note(void *ctx, const struct pii_hit *hit)
{
	const struct look *look = ctx;
	struct pii_record *record = look->record;
	uint32_t bit = 1u << hit->kind;
	if ((record->found & bit) == 0) {
		record->where[hit->kind].part = look->part;
		record->where[hit->kind].index = look->index;
	}
	record->found |= bit;
	return record->found != record->wanted;
}

static void look_at(struct pii_record *record, struct str text, const char *part, uint32_t index)
{
	uint32_t left = record->wanted & ~record->found;
	struct look look = {record, part, index};
	if (left != 0 && text.data != NULL)
		(void)pii_scan(text, record->wanted, note, &look); /* its work is of no interest here */
}

uint32_t pii_record_has(struct pii_record *record, uint32_t kinds)
{
	const struct request *req = record->req;
	if (record->looked)
		return record->found & kinds;
	record->looked = true;
	for (uint32_t i = 0; i < req->message_count; i++) {
		look_at(record, req->messages[i].content, "message", i);
		look_at(record, req->messages[i].role, "message", i);
	}
	for (uint32_t i = 0; i < req->attribute_count; i++)
		look_at(record, req->attributes[i].value, "attribute", i);
	look_at(record, req->id, "id", 0);
	look_at(record, req->tenant, "tenant", 0);
	look_at(record, req->response_format, "response_format", 0);
	for (uint32_t i = 0; i < req->stop_count; i++)
		look_at(record, req->stop[i], "stop", i);
	return record->found & kinds;
}

void pii_record_describe(const struct pii_record *record, uint32_t kinds, struct buf *out)
{
	const struct request *req = record->req;
	bool first = true;
	for (unsigned k = 0; k < PII_KINDS; k++) {
		if ((record->found & kinds & 1u << k) == 0)
			continue;
		const char *part = record->where[k].part;
		buf_printf(out, "%s%s in ", first ? "" : ", ", pii_name((enum pii_kind)k));
		first = false;
		if (strcmp(part, "message") == 0)
			buf_printf(out, "message %u of %u", record->where[k].index + 1, req->message_count);
		else if (strcmp(part, "attribute") == 0)
			buf_printf(out, "attribute %.*s", STR_ARG(req->attributes[record->where[k].index].name));
		else
			buf_printf(out, "the %s", part);
	}
}
