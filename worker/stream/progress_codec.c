/*
 * progress_codec.c: snapshot <-> text.
 *
 * The one idea: unfinished offsets are sparse and roughly evenly spread, so the gaps between them are written as Rice codes
 * (R. F. Rice, 1979: quotient in unary, k low bits) with the k that makes this set shortest. With n gaps that sum to at
 * most R the code takes at most n(k + 1) + (R >> k) bits whatever the gaps are, so a set can be refused before it exists:
 * that is progress_fits.
 *
 * Reading trusts nothing: whoever wrote the metadata may have been another program, another version or another topic's
 * owner, and a record wrongly taken for finished is a record lost. So only the exact text that writing gives is accepted.
 */
#include "worker/stream/progress_codec.h"

#include <assert.h>
#include <string.h>

enum {
	VERSION = 2,
	FLAG_RUNNING = 1,
	FLAG_TOPIC_ID = 2,
	FIXED_BYTES = 29, /* the layout up to the owner */
	NO_INDEX = 0xffff,
	CRC_BYTES = 4,
	BYTES_MAX = PROGRESS_TEXT_MAX / 4 * 3,
	BITS_MAX = 8 * (BYTES_MAX - FIXED_BYTES - PROGRESS_OWNER_MAX - PROGRESS_TOPIC_ID_BYTES - CRC_BYTES),
	K_MAX = 62,
};

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), four bits at a time. */
static uint32_t crc32c(const uint8_t *data, size_t bytes)
{
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	uint32_t crc = ~0u;
	for (size_t i = 0; i < bytes; i++) {
		crc ^= data[i];
		crc = table[crc & 15] ^ (crc >> 4);
		crc = table[crc & 15] ^ (crc >> 4);
	}
	return ~crc;
}

static void put_be(uint8_t *out, unsigned bytes, uint64_t value)
{
	for (unsigned i = 0; i < bytes; i++)
		out[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

static uint64_t get_be(const uint8_t *in, unsigned bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | in[i];
	return value;
}

/* --- base64 (RFC 4648 section 4), padded --- */

static size_t base64_encode(const uint8_t *in, size_t bytes, char *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = 0;
	for (size_t i = 0; i < bytes; i += 3) {
		size_t have = bytes - i < 3 ? bytes - i : 3;
		uint8_t three[3] = {0};
		memcpy(three, in + i, have);
		uint32_t v = (uint32_t)get_be(three, 3);
		out[len++] = alphabet[v >> 18];
		out[len++] = alphabet[v >> 12 & 63];
		out[len++] = have > 1 ? alphabet[v >> 6 & 63] : '=';
		out[len++] = have > 2 ? alphabet[v & 63] : '=';
	}
	out[len] = '\0';
	return len;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The number of bytes, 0 when text is not what base64_encode writes. */
static size_t base64_decode(struct str text, uint8_t out[BYTES_MAX])
{
	if (text.len == 0 || text.len % 4 != 0 || text.len > PROGRESS_TEXT_MAX)
		return 0;
	unsigned padding = text.data[text.len - 1] != '=' ? 0 : text.data[text.len - 2] != '=' ? 1 : 2;
	size_t bytes = 0;
	for (size_t i = 0; i < text.len; i += 4) {
		unsigned missing = i + 4 == text.len ? padding : 0;
		uint32_t v = 0;
		for (unsigned c = 0; c < 4; c++) {
			int six = c >= 4 - missing ? 0 : base64_value(text.data[i + c]);
			if (six < 0)
				return 0;
			v = v << 6 | (uint32_t)six;
		}
		if ((v & ((1u << (8 * missing)) - 1)) != 0)
			return 0; /* bits behind the end: a second spelling of the same bytes */
		for (unsigned b = 0; b < 3 - missing; b++)
			out[bytes++] = (uint8_t)(v >> (16 - 8 * b));
	}
	return bytes;
}

/* --- Rice code, most significant bit first --- */

struct bits {
	uint8_t *data;
	size_t at, end; /* in bits */
};

static void put_bit(struct bits *b, unsigned bit)
{
	assert(b->at < b->end);
	if (bit != 0)
		b->data[b->at / 8] |= (uint8_t)(0x80u >> b->at % 8);
	b->at++;
}

static void put_rice(struct bits *b, uint64_t value, unsigned k)
{
	for (uint64_t ones = value >> k; ones > 0; ones--)
		put_bit(b, 1);
	put_bit(b, 0);
	for (unsigned i = k; i-- > 0;)
		put_bit(b, value >> i & 1);
}

/* -1: past the end. */
static int get_bit(struct bits *b)
{
	if (b->at >= b->end)
		return -1;
	int bit = b->data[b->at / 8] >> (7 - b->at % 8) & 1;
	b->at++;
	return bit;
}

/* false: cut off, or more than max. */
static bool get_rice(struct bits *b, unsigned k, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	int bit;
	while ((bit = get_bit(b)) == 1)
		if (++value > max >> k)
			return false;
	for (unsigned i = 0; i < k && bit >= 0; i++) {
		bit = get_bit(b);
		value = value << 1 | (bit == 1);
	}
	if (bit < 0 || value > max)
		return false;
	*ret = value;
	return true;
}

/* Bits of the whole list with parameter k. */
static uint64_t rice_bits(const struct progress_snapshot *s, unsigned k)
{
	uint64_t total = 0;
	for (uint32_t i = 1; i < s->count; i++)
		total += ((uint64_t)(s->unfinished[i] - s->unfinished[i - 1] - 1) >> k) + 1 + k;
	return total;
}

static unsigned best_k(const struct progress_snapshot *s)
{
	unsigned best = 0;
	uint64_t least = rice_bits(s, 0), gaps = s->count > 1 ? s->count - 1 : 0;
	for (unsigned k = 1; k <= K_MAX && gaps * (k + 1) < least; k++) {
		uint64_t total = rice_bits(s, k);
		if (total < least) {
			least = total;
			best = k;
		}
	}
	return best;
}

/* --- the offsets that are pointed at --- */

static void put_index(uint8_t *out, const struct progress_snapshot *s, bool has, int64_t offset)
{
	uint32_t low = 0, high = has ? s->count : 0;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (s->unfinished[mid] < offset)
			low = mid + 1;
		else
			high = mid;
	}
	bool found = has && low < s->count && s->unfinished[low] == offset;
	put_be(out, 2, found ? low : NO_INDEX);
}

/* false: it points at nothing. */
static bool get_index(const uint8_t *in, const struct progress_snapshot *s, bool *ret_has, int64_t *ret)
{
	uint64_t index = get_be(in, 2);
	*ret_has = index != NO_INDEX;
	if (*ret_has && index < s->count)
		*ret = s->unfinished[index];
	return !*ret_has || index < s->count;
}

/* --- the public three --- */

bool progress_fits(uint32_t count, int64_t reach)
{
	if (count > PROGRESS_MAX_ENTRIES)
		return false;
	uint64_t gaps = count > 1 ? count - 1 : 0; /* the first entry is the base */
	for (unsigned k = 0; k <= K_MAX; k++)
		if (gaps * (k + 1) + ((uint64_t)reach >> k) <= BITS_MAX)
			return true;
	return false;
}

size_t progress_encode(const struct progress_snapshot *snapshot, const struct progress_mark *mark, char out[PROGRESS_TEXT_MAX + 1])
{
	uint8_t bytes[BYTES_MAX] = {0};
	size_t owner = strnlen(mark->owner, PROGRESS_OWNER_MAX);
	unsigned k = best_k(snapshot);
	uint64_t code_bits = rice_bits(snapshot, k);
	assert(code_bits <= BITS_MAX && snapshot->count <= PROGRESS_MAX_ENTRIES);
	bytes[0] = VERSION;
	bytes[1] = (uint8_t)((mark->running ? FLAG_RUNNING : 0) | (mark->has_topic_id ? FLAG_TOPIC_ID : 0));
	put_be(bytes + 2, 2, mark->restarts);
	put_be(bytes + 4, 8, (uint64_t)snapshot->base);
	put_be(bytes + 12, 8, (uint64_t)snapshot->span);
	put_be(bytes + 20, 2, snapshot->count);
	bytes[22] = (uint8_t)k;
	bytes[23] = (uint8_t)owner;
	put_index(bytes + 24, snapshot, mark->has_alone, mark->alone);
	put_index(bytes + 26, snapshot, mark->has_suspect, mark->suspect);
	bool suspect_told = get_be(bytes + 26, 2) != NO_INDEX;
	bytes[28] = (uint8_t)((suspect_told ? mark->crashes << 4 : 0) | (mark->stuck & PROGRESS_COUNT_MAX));
	size_t len = FIXED_BYTES;
	memcpy(bytes + len, mark->owner, owner);
	len += owner;
	if (mark->has_topic_id) {
		memcpy(bytes + len, mark->topic_id, PROGRESS_TOPIC_ID_BYTES);
		len += PROGRESS_TOPIC_ID_BYTES;
	}
	struct bits bits = {.data = bytes + len, .at = 0, .end = code_bits};
	for (uint32_t i = 1; i < snapshot->count; i++)
		put_rice(&bits, (uint64_t)(snapshot->unfinished[i] - snapshot->unfinished[i - 1] - 1), k);
	len += (bits.at + 7) / 8;
	put_be(bytes + len, CRC_BYTES, crc32c(bytes, len));
	return base64_encode(bytes, len + CRC_BYTES, out);
}

/* What lies between the fixed part and the code. Returns the position behind it, 0 when it is cut off or odd. */
static size_t decode_names(const uint8_t *bytes, size_t end, struct progress_mark *mark)
{
	size_t owner = bytes[23], at = FIXED_BYTES;
	if (owner > PROGRESS_OWNER_MAX || end - at < owner + (mark->has_topic_id ? PROGRESS_TOPIC_ID_BYTES : 0))
		return 0;
	for (size_t i = 0; i < owner; i++)
		if (bytes[at + i] < 0x20 || bytes[at + i] > 0x7e)
			return 0;
	memcpy(mark->owner, bytes + at, owner);
	at += owner;
	if (!mark->has_topic_id)
		return at;
	memcpy(mark->topic_id, bytes + at, PROGRESS_TOPIC_ID_BYTES);
	return at + PROGRESS_TOPIC_ID_BYTES;
}

/* Fills the list from the code; s has base, span and count, all checked. false: not what progress_encode writes. */
static bool decode_offsets(struct bits *bits, unsigned k, struct progress_snapshot *s)
{
	if (s->count > 0)
		s->unfinished[0] = s->base;
	for (uint32_t i = 1; i < s->count; i++) {
		int64_t next = s->unfinished[i - 1] + 1, left = s->base + s->span - next;
		uint64_t gap;
		if (left < 1 || !get_rice(bits, k, (uint64_t)left - 1, &gap))
			return false;
		s->unfinished[i] = next + (int64_t)gap;
	}
	if (bits->at > BITS_MAX || bits->end - bits->at >= 8 || k != best_k(s))
		return false;
	while (bits->at < bits->end)
		if (get_bit(bits) != 0)
			return false;
	return true;
}

static bool decode_pointers(const uint8_t *bytes, const struct progress_snapshot *s, struct progress_mark *mark)
{
	mark->crashes = bytes[28] >> 4;
	mark->stuck = bytes[28] & PROGRESS_COUNT_MAX;
	return get_index(bytes + 24, s, &mark->has_alone, &mark->alone) && get_index(bytes + 26, s, &mark->has_suspect, &mark->suspect) &&
	       mark->has_suspect == (mark->crashes > 0);
}

enum rc progress_decode(struct str text, int64_t expected_base, struct progress_snapshot *ret, struct progress_mark *ret_mark,
                        struct err *err)
{
	uint8_t bytes[BYTES_MAX];
	if (text.data == NULL || text.len == 0)
		return err_set(err, RC_BAD_INPUT, "the commit has no metadata");
	size_t len = base64_decode(text, bytes);
	if (len < FIXED_BYTES + CRC_BYTES)
		return err_set(err, RC_BAD_INPUT, "the commit's metadata is another program's (not base64 of a fitting length)");
	size_t end = len - CRC_BYTES;
	if (get_be(bytes + end, CRC_BYTES) != crc32c(bytes, end))
		return err_set(err, RC_BAD_INPUT, "the commit's metadata is another program's or damaged (checksum)");
	if (bytes[0] != VERSION || (bytes[1] & ~(FLAG_RUNNING | FLAG_TOPIC_ID)) != 0)
		return err_set(err, RC_BAD_INPUT, "the commit's metadata has version %u; this program knows %d", bytes[0], VERSION);
	uint64_t base = get_be(bytes + 4, 8), span = get_be(bytes + 12, 8);
	if (expected_base < 0 || base != (uint64_t)expected_base)
		return err_set(err, RC_BAD_INPUT, "the commit's metadata belongs to another offset");

	struct progress_mark mark = {
		.running = (bytes[1] & FLAG_RUNNING) != 0,
		.has_topic_id = (bytes[1] & FLAG_TOPIC_ID) != 0,
		.restarts = (uint16_t)get_be(bytes + 2, 2),
	};
	struct progress_snapshot s = {.base = expected_base, .span = (int64_t)span, .count = (uint32_t)get_be(bytes + 20, 2)};
	unsigned k = bytes[22];
	size_t at = decode_names(bytes, end, &mark);
	bool sound = span <= (uint64_t)INT64_MAX - base && s.count <= PROGRESS_MAX_ENTRIES && (s.count > 0) == (span > 0) &&
	             k <= K_MAX && at != 0;
	struct bits bits = {.data = bytes + at, .at = 0, .end = 8 * (end - at)};
	if (!sound || !decode_offsets(&bits, k, &s) || !decode_pointers(bytes, &s, &mark))
		return err_set(err, RC_BAD_INPUT, "the commit's metadata contradicts itself");
	*ret = s;
	*ret_mark = mark;
	return RC_OK;
}
