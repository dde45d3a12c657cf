/*
 * fuzz_pii.c: the detectors of personal data: what they find lies inside of the text and in its order, each kind alone finds nothing
 * less strong, and the looks they take stay within a bound for each byte.
 */
#include "tests/fuzz/fuzz.h"
#include "worker/route/pii.h"

enum { LOOKS_A_BYTE = 60, LOOKS_FIXED = 9000 };

struct seen {
	size_t end, bytes;
	uint32_t kinds;
};

static bool see(void *ctx, const struct pii_hit *hit)
{
	struct seen *seen = ctx;
	FUZZ_CHECK(hit->kind >= 0 && hit->kind < PII_KINDS);
	FUZZ_CHECK(hit->at >= seen->end && hit->at < hit->end && hit->end <= seen->bytes);
	seen->end = hit->end;
	seen->kinds |= 1u << hit->kind;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct str s = {(const char *)data, bytes};
	struct seen all = {.bytes = bytes};
	FUZZ_CHECK(pii_scan(s, PII_ALL, see, &all) <= (uint64_t)bytes * LOOKS_A_BYTE + LOOKS_FIXED);
	for (unsigned k = 0; k < PII_KINDS; k++) {
		struct seen one = {.bytes = bytes};
		(void)pii_scan(s, 1u << k, see, &one); /* its work is part of the one above */
		FUZZ_CHECK((one.kinds & ~(1u << k)) == 0);
		FUZZ_CHECK((all.kinds & 1u << k) == 0 || one.kinds != 0);
	}
	return 0;
}
