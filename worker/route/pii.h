/*
 * pii.h: personal data and secrets in a text: e-mail addresses, phone numbers, IBANs, payment cards, US social security numbers,
 * IP addresses, keys and tokens.
 *
 * Detectors look at form and checksums, and at the words around a number where the form alone proves little. They cannot know a
 * person's name or address. tests/bench/pii_quality measures them.
 *
 * Thread: any. Nothing is allocated; the time is linear in the text whatever it holds: what is looked at for one place is bounded.
 */
#ifndef ROUTE_PII_H
#define ROUTE_PII_H

#include "worker/job/job.h"

enum pii_kind { PII_EMAIL, PII_PHONE, PII_IBAN, PII_CARD, PII_SSN, PII_IP, PII_SECRET, PII_KINDS };
#define PII_ALL ((1u << PII_KINDS) - 1)

const char *pii_name(enum pii_kind kind); /* as a policy names it */
int pii_find(struct str name);            /* enum pii_kind; -1: there is none of that name */

struct pii_hit {
	enum pii_kind kind;
	size_t at, end; /* bytes of the text */
};
/* Called for each hit, in the order of the text; hits do not overlap. false: that is enough. */
typedef bool pii_see(void *ctx, const struct pii_hit *hit);
/* kinds: bits 1 << kind. Returns how many characters were looked at, those looked at twice counted twice. */
uint64_t pii_scan(struct str text, uint32_t kinds, pii_see *see, void *ctx);

/* What of a record could reach a model, looked at once and only when somebody asks. */
struct pii_record {
	const struct request *req;
	uint32_t wanted; /* kinds that somebody may ask for */
	bool looked;
	uint32_t found;  /* bits */
	struct {
		const char *part; /* constant: "message", "attribute", "id" */
		uint32_t index;   /* of the message or attribute */
	} where[PII_KINDS];   /* the first of the kind */
};
/* The bits of kinds that the record holds. */
uint32_t pii_record_has(struct pii_record *record, uint32_t kinds);
/* "iban in message 1 of 3": never the data itself. */
void pii_record_describe(const struct pii_record *record, uint32_t kinds, struct buf *out);

#endif
