/*
 * pii_quality.c: how well the detectors of personal data find what is marked in a folder of rows. `pii_quality [-v] DIR`.
 *
 * Prints precision and recall of each detector with 95 % Wilson intervals; -v tells each mistake. Files: *.jsonl as in
 * tests/data/pii, *.json as Presidio's generator writes. Where nothing of a kind is marked and nothing was found, there is no figure.
 */
#include <dirent.h>

#include "tests/unit/pii_rows.h"
#include "worker/lab/stats.h"

enum { FILES_MAX = 256 };

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool read_folder(struct pii_score *score, const char *folder)
{
	char *names[FILES_MAX];
	size_t count = 0;
	bool good = true;
	DIR *dir = opendir(folder);
	if (dir == NULL) {
		fprintf(stderr, "pii_quality: %s is no folder that can be read\n", folder);
		return false;
	}
	for (struct dirent *e; (e = readdir(dir)) != NULL && count < FILES_MAX;) {
		const char *dot = strrchr(e->d_name, '.');
		if (dot != NULL && (strcmp(dot, ".jsonl") == 0 || strcmp(dot, ".json") == 0))
			names[count++] = strdup(e->d_name);
	}
	closedir(dir);
	qsort(names, count, sizeof *names, by_name);
	for (size_t i = 0; i < count; i++) {
		char path[4096];
		good = good && snprintf(path, sizeof path, "%s/%s", folder, names[i]) < (int)sizeof path && pii_rows_file(score, path);
		free(names[i]);
	}
	return good && score->rows > 0;
}

static void print_share(struct share s)
{
	if (s.rows == 0)
		printf("  %-26s", "-");
	else
		printf("  %5.1f %% [%5.1f, %5.1f] %-4s", s.share * 100, s.low * 100, s.high * 100, "");
}

int main(int argc, char **argv)
{
	struct pii_score score = {.tell = argc > 2 && strcmp(argv[1], "-v") == 0 ? stdout : NULL};
	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: pii_quality [-v] DIR\nexample: tests/bench/pii_quality tests/data/pii\n");
		return 2;
	}
	if (!read_folder(&score, argv[argc - 1]))
		return 1;
	printf("%lld rows\n%-8s %6s %6s %6s  %-26s  %-26s\n", (long long)score.rows, "kind", "marked", "found", "false", "precision", "recall");
	for (unsigned k = 0; k < PII_KINDS; k++) {
		int64_t marked = score.found[k] + score.missed[k];
		printf("%-8s %6lld %6lld %6lld", pii_name((enum pii_kind)k), (long long)marked, (long long)score.found[k], (long long)score.wrong[k]);
		print_share(share_of(score.right[k], score.right[k] + score.wrong[k]));
		print_share(share_of(score.found[k], marked));
		printf("\n");
	}
	return 0;
}
