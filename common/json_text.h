/*
 * json_text.h: the one loop that reading and writing JSON share: how far a string goes on without anything special in it.
 * Private to common/json*.c. Thread: any.
 */
#ifndef COMMON_JSON_TEXT_H
#define COMMON_JSON_TEXT_H

#include <stdint.h>
#include <string.h>

#define JSON_ONES UINT64_C(0x0101010101010101)
#define JSON_HIGHS UINT64_C(0x8080808080808080)

/* High bit set in each byte of the result where a byte of eight is a quote, a backslash or a control character. It may also
 * be set behind the first such byte (a borrow), so only "none at all" is taken from it. */
static inline uint64_t json_special(uint64_t eight)
{
	uint64_t quote = eight ^ (JSON_ONES * '"'), slash = eight ^ (JSON_ONES * '\\');
	return (((quote - JSON_ONES) & ~quote) | ((slash - JSON_ONES) & ~slash) | ((eight - JSON_ONES * 0x20) & ~eight)) & JSON_HIGHS;
}

/* The first byte in [p, end) that cannot stand in a JSON string as it is; end when there is none. *high collects the bits
 * of what was passed: 0x80 in it means that not all was ASCII. */
static inline const char *json_plain_run(const char *p, const char *end, uint64_t *high)
{
	uint64_t seen = 0;
	while (end - p >= 8) {
		uint64_t eight;
		memcpy(&eight, p, 8);
		if (json_special(eight) != 0)
			break;
		seen |= eight;
		p += 8;
	}
	for (; p < end; p++) {
		unsigned char c = (unsigned char)*p;
		if (c < 0x20 || c == '"' || c == '\\')
			break;
		seen |= c;
	}
	if ((seen & JSON_HIGHS) != 0)
		*high |= 0x80;
	return p;
}

#endif
