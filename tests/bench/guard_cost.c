/*
 * guard_cost.c: what looking for personal data costs: CPU time for a record of 2 KB, for 4 MB of prose, and for 4 MB made to be slow.
 *
 * Prints the best of several rounds, for other work on the machine only ever adds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "worker/route/pii.h"

static const char prose[] =
    "Hello, since the update of 12 November my printer (model X-200, firmware 7.4.1) prints every second page twice. I have tried what\n"
    "the manual says on page 34: switched it off for 10 minutes, changed the cable, and reset it to factory settings. Nothing helped.\n"
    "My order was 302-8817265, and the invoice says 219.90 EUR. Could you tell me whether it is worth repairing? ";

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool see(void *ctx, const struct pii_hit *hit)
{
	(void)hit; /* only how many */
	++*(unsigned *)ctx;
	return true;
}

static void measure(const char *name, const char *piece, size_t bytes, unsigned times)
{
	char *text = malloc(bytes);
	size_t n = strlen(piece);
	unsigned hits = 0;
	int64_t best = INT64_MAX;
	if (text == NULL)
		abort();
	for (size_t i = 0; i < bytes; i++)
		text[i] = piece[i % n];
	for (unsigned round = 0; round < 7; round++) {
		int64_t start = now_ns();
		for (unsigned i = 0; i < times; i++)
			(void)pii_scan((struct str){text, bytes}, PII_ALL, see, &hits); /* its work is time here */
		int64_t each = (now_ns() - start) / times;
		best = each < best ? each : best;
	}
	printf("%-34s %10zu bytes %12.1f us %8.2f ns a byte  (%u hits)\n", name, bytes, (double)best / 1e3, (double)best / (double)bytes, hits / 7 / times);
	free(text);
}

int main(void)
{
	measure("a record of 2 KB", prose, 2048, 2000);
	measure("4 MB of prose", prose, 4 << 20, 1);
	measure("4 MB of \"1 \"", "1 ", 4 << 20, 1);
	measure("4 MB of \"call 1234567 \"", "call 1234567 ", 4 << 20, 1);
	measure("4 MB of \"password:\"", "password:", 4 << 20, 1);
	measure("4 MB of almost an IBAN", "DE89 3704 0044 0532 0130 01 ", 4 << 20, 1);
	measure("4 MB of \"eyJaaaaaaaaaaaaa.\"", "eyJaaaaaaaaaaaaa.", 4 << 20, 1);
	return 0;
}
