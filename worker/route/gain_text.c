/*
 * gain_text.c: the surface of a text as a few numbers. Long questions, and those with many numbers or conditions, are harder; how
 * much so is for the training to say.
 *
 * The one idea: one pass over the words of the text in ASCII lower case; everything is a count, and its logarithm or its share is
 * what is learned from, so that no single long text outweighs the others.
 */
#include "worker/route/gain.h"

#include "worker/route/elementary.h"

struct counts {
	uint32_t words, letters, long_words, capitals, digits, numbers, sentences, commas, lines, operators, brackets, quantities, negations,
		questions, different;
	double largest;
	uint64_t seen[16]; /* words by a hash of 10 bits */
};

static const char *const quantities[] = {"each",  "every", "per",   "twice", "half",  "times",   "total", "left", "more",    "less",
                                         "many",  "much",  "sum",   "first", "then",  "percent", "third", "both", "average", "remaining"};
static const char *const negations[] = {"not", "no", "never", "except", "without", "cannot", "false", "least"};
static const char *const questions[] = {"what", "which", "why", "how", "who", "when", "where", "whose"};

#define ONE_OF(word, list) one_of(word, list, sizeof(list) / sizeof(list)[0])
static bool one_of(struct str word, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_is(word, list[i]))
			return true;
	return false;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '\'' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

uint64_t gain_hash(struct str text)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < text.len; i++)
		h = (h ^ (unsigned char)text.data[i]) * UINT64_C(1099511628211);
	return h;
}

static void count_word(struct counts *n, struct str word)
{
	char lower[32];
	size_t len = word.len < sizeof lower ? word.len : sizeof lower;
	for (size_t i = 0; i < len; i++)
		lower[i] = word.data[i] >= 'A' && word.data[i] <= 'Z' ? (char)(word.data[i] + 32) : word.data[i];
	struct str w = {lower, len};
	uint64_t h = gain_hash(w), bit = (h ^ h >> 32) & 1023;
	n->different += (n->seen[bit / 64] >> bit % 64 & 1) == 0;
	n->seen[bit / 64] |= UINT64_C(1) << bit % 64;
	n->words++;
	n->letters += (uint32_t)word.len;
	n->long_words += word.len > 8;
	n->capitals += word.data[0] >= 'A' && word.data[0] <= 'Z';
	n->quantities += ONE_OF(w, quantities);
	n->negations += ONE_OF(w, negations) || (len > 3 && memcmp(lower + len - 3, "n't", 3) == 0);
	n->questions += ONE_OF(w, questions);
}

static void count_number(struct counts *n, struct str digits)
{
	double value = 0;
	for (size_t i = 0; i < digits.len && i < 12; i++)
		value = value * 10 + (digits.data[i] - '0');
	n->numbers++;
	n->digits += (uint32_t)digits.len;
	n->largest = value > n->largest ? value : n->largest;
}

static void count_sign(struct counts *n, char c)
{
	n->sentences += c == '.' || c == '?' || c == '!';
	n->commas += c == ',' || c == ';';
	n->lines += c == '\n';
	n->operators += c != '\0' && strchr("+-*/=^<>%$\\", c) != NULL;
	n->brackets += c != '\0' && strchr("()[]{}", c) != NULL;
}

static double log_of(double count)
{
	return elementary_log(1 + count);
}

void gain_surface(struct str text, float ret[GAIN_SURFACE])
{
	struct counts n = {0};
	for (size_t at = 0; at < text.len;) {
		size_t begin = at;
		while (at < text.len && is_letter(text.data[at]))
			at++;
		if (at > begin)
			count_word(&n, (struct str){text.data + begin, at - begin});
		begin = at;
		while (at < text.len && is_digit(text.data[at]))
			at++;
		if (at > begin)
			count_number(&n, (struct str){text.data + begin, at - begin});
		if (at < text.len && !is_letter(text.data[at]))
			count_sign(&n, text.data[at++]);
	}
	double words = n.words + 1.0;
	const double values[GAIN_SURFACE] = {
		log_of((double)text.len), log_of(n.words), log_of(n.sentences), log_of(n.lines), log_of(n.numbers), log_of(n.largest),
		n.digits / ((double)text.len + 1), n.letters / words, n.long_words / words, n.capitals / words, log_of(n.commas), log_of(n.operators),
		log_of(n.brackets), n.different / words, log_of(words / (n.sentences + 1.0)), log_of(n.quantities), log_of(n.negations), log_of(n.questions),
	};
	for (int i = 0; i < GAIN_SURFACE; i++)
		ret[i] = (float)values[i];
}
