/*
 * embed_vector.c: vectors as text: nine digits of a float read back to that float; base64 is a third of the size.
 */
#include "worker/cli/embed.h"

/* RFC 4648 section 4. */
static void write_base64(struct buf *out, const unsigned char *bytes, size_t count)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < count; i += 3) {
		size_t have = count - i < 3 ? count - i : 3;
		uint32_t n = (uint32_t)bytes[i] << 16 | (have > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (have > 2 ? bytes[i + 2] : 0);
		for (unsigned k = 0; k < 4; k++)
			buf_char(out, k <= have ? digits[n >> (18 - 6 * k) & 63] : '=');
	}
}

void embed_write_vector(struct buf *out, const float *values, uint32_t count, bool base64)
{
	if (!base64) {
		for (uint32_t i = 0; i < count; i++)
			buf_printf(out, "%c%.9g", i == 0 ? '[' : ',', (double)values[i]);
		buf_char(out, ']');
		return;
	}
	buf_char(out, '"');
	for (uint32_t i = 0; i < count; i += 3) { /* three floats are twelve bytes: no padding between them */
		unsigned char bytes[12];
		uint32_t have = count - i < 3 ? count - i : 3;
		for (uint32_t k = 0; k < have; k++) {
			uint32_t bits;
			memcpy(&bits, &values[i + k], sizeof bits);
			for (unsigned b = 0; b < 4; b++)
				bytes[4 * k + b] = (unsigned char)(bits >> (8 * b));
		}
		write_base64(out, bytes, (size_t)have * 4);
	}
	buf_char(out, '"');
}
