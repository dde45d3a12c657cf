/*
 * gain_train.c: the steps of learning gains: strip what all texts begin with, find topics, hold out, fit, mix, fit all.
 *
 * The one idea: every part predicts how far a text's gain is from the mean gain, and how much a part may say is decided by rows that it
 * has not seen. So a part that only learned its rows by heart gets no weight, and what is reported is what new texts will get.
 */
#include "worker/lab/gain_parts.h"

#include <math.h>
#include <stdlib.h>

#include "worker/lab/cluster.h"

enum {
	FOLDS = 5,
	ALL_FOLDS_UP_TO = 3000, /* rows; of more, one fold says enough */
	ROWS_A_CLUSTER = 40,
	MOST_CLUSTERS = 40,
	SHORTEST_PREAMBLE = 64
};
/* What the parts' weights are without evidence, and how many rows that is worth. */
static const double PRIOR[GAIN_PARTS] = {0.6, 0.4, 0}, PRIOR_ROWS = 200;
static const double WORDS_RIDGE[] = {0.5, 1.5, 5, 15}, SURFACE_RIDGE[] = {10, 100};
enum { WORDS_TRIES = 4, SURFACE_TRIES = 2 };

struct work {
	const struct gain_train_setup *setup;
	struct gain_parts parts;
	uint8_t *fold;
	double *left;                    /* by row: gain less the mean of the rows learned from */
	double *tried[WORDS_TRIES + SURFACE_TRIES]; /* by row: held-out predictions under each ridge */
	double *held[GAIN_PARTS];        /* by row: those that were chosen */
	double base;
	uint32_t folds;
};

static double gain_of(const struct work *w, uint32_t row)
{
	return w->setup->rows[row].strong - w->setup->rows[row].weak;
}

/* ---- texts and topics ------------------------------------------------------------------------------------------------ */

static size_t common_prefix(struct str a, struct str b)
{
	size_t n = 0;
	while (n < a.len && n < b.len && a.data[n] == b.data[n])
		n++;
	return n;
}

/* What all texts of a task begin with, up to a line's or a word's end; 0: too short to matter. */
static size_t preamble_of(const struct gain_train_setup *setup, uint32_t task)
{
	struct str first = STR_NULL;
	size_t len = 0, rows = 0;
	for (uint32_t i = 0; i < setup->row_count; i++) {
		if (setup->rows[i].task != task)
			continue;
		if (rows++ == 0) {
			first = setup->rows[i].text;
			len = first.len;
		}
		size_t common = common_prefix(first, setup->rows[i].text);
		len = common < setup->rows[i].text.len ? common : common != 0 ? common - 1 : 0; /* something is left of each */
		first.len = len;
	}
	while (len > 0 && first.data[len - 1] != '\n' && first.data[len - 1] != ' ')
		len--;
	return rows > 2 && len >= SHORTEST_PREAMBLE ? len : 0;
}

static void strip_preambles(struct work *w)
{
	const struct gain_train_setup *setup = w->setup;
	for (uint32_t i = 0; i < setup->row_count; i++)
		w->parts.texts[i] = setup->rows[i].text;
	for (uint32_t task = 0; task < setup->task_count && w->parts.preamble_count < GAIN_MAX_PREAMBLES; task++) {
		size_t len = preamble_of(setup, task);
		struct str preamble = STR_NULL;
		for (uint32_t i = 0; len != 0 && i < setup->row_count; i++) {
			if (setup->rows[i].task != task)
				continue;
			preamble = (struct str){setup->rows[i].text.data, len};
			w->parts.texts[i] = (struct str){preamble.data + len, setup->rows[i].text.len - len};
		}
		uint32_t at = w->parts.preamble_count;
		if (len == 0)
			continue;
		for (; at > 0 && w->parts.preambles[at - 1].len < len; at--)
			w->parts.preambles[at] = w->parts.preambles[at - 1];
		w->parts.preambles[at] = preamble;
		w->parts.preamble_count++;
	}
}

/* Similar texts as topics, where nobody has named any. Texts without a vector are of the first. */
static void find_topics(struct work *w, struct arena *arena)
{
	const struct gain_train_setup *setup = w->setup;
	const struct gain_columns *x = &w->parts.matrix.words;
	struct cluster_set *set = cluster_set_new(x->dim);
	uint32_t *row_of = heap_zalloc(setup->row_count, sizeof *row_of), k = setup->row_count / ROWS_A_CLUSTER;
	for (uint32_t i = 0; i < setup->row_count; i++)
		if (cluster_set_add(set, x->dense + (size_t)i * x->dim))
			row_of[cluster_set_count(set) - 1] = i;
	struct clusters found = {0};
	struct cluster_setup how = {.set = set, .k = k < 2 ? 2 : k > MOST_CLUSTERS ? MOST_CLUSTERS : k, .seed = setup->seed};
	if (cluster_fit(&how, &found)) {
		w->parts.topic_count = found.k;
		for (uint32_t i = 0; i < cluster_set_count(set); i++)
			w->parts.topic[row_of[i]] = found.of[i];
		clusters_free(&found);
	}
	w->parts.topics = arena_array(arena, w->parts.topic_count, sizeof *w->parts.topics);
	for (uint32_t i = 0; i < w->parts.topic_count; i++)
		w->parts.topics[i] = arena_printf(arena, "%u", i);
	cluster_set_free(set);
	free(row_of);
}

static void name_topics(struct work *w, struct arena *arena)
{
	w->parts.named = w->setup->topic_count != 0;
	if (!w->parts.named) {
		find_topics(w, arena);
		return;
	}
	w->parts.topic_count = w->setup->topic_count;
	w->parts.topics = (struct str *)w->setup->topics; /* read only */
	for (uint32_t i = 0; i < w->setup->row_count; i++)
		w->parts.topic[i] = w->setup->rows[i].topic;
}

/* ---- held-out rows --------------------------------------------------------------------------------------------------- */

/* Rows of one text are held out together, or a text would be known that should be new. */
static void deal_folds(struct work *w)
{
	w->folds = w->setup->row_count <= ALL_FOLDS_UP_TO ? FOLDS : 1;
	for (uint32_t i = 0; i < w->setup->row_count; i++) {
		uint64_t h = (gain_hash(w->parts.texts[i]) ^ w->setup->seed) * UINT64_C(0x9E3779B97F4A7C15);
		w->fold[i] = (uint8_t)((h >> 32) % FOLDS);
	}
}

static bool is_held(const struct work *w, uint32_t row)
{
	return w->fold[row] < w->folds;
}

static enum rc try_fold(struct work *w, uint32_t fold, struct err *err)
{
	const struct gain_train_setup *setup = w->setup;
	uint32_t *learn = heap_zalloc(setup->row_count, sizeof *learn), count = 0;
	double mean = 0;
	for (uint32_t i = 0; i < setup->row_count; i++)
		if (w->fold[i] != fold)
			learn[count++] = i;
	for (uint32_t i = 0; i < count; i++)
		mean += gain_of(w, learn[i]) / count;
	for (uint32_t i = 0; i < setup->row_count; i++)
		w->left[i] = gain_of(w, i) - mean;
	enum rc rc = gain_parts_topics(&w->parts, setup, learn, count, w->left, err);
	double *words = heap_zalloc((size_t)w->parts.matrix.words.places + w->parts.matrix.words.dim, sizeof *words), surface[GAIN_SURFACE] = {0};
	for (int t = WORDS_TRIES - 1; t >= 0; t--) { /* the stiffest first: each is a good beginning for the next */
		gain_ridge(&w->parts.matrix.words, learn, count, w->left, WORDS_RIDGE[t], words);
		for (uint32_t i = 0; i < setup->row_count; i++)
			if (w->fold[i] == fold)
				w->tried[t][i] = gain_dot(&w->parts.matrix.words, i, words);
	}
	for (int t = SURFACE_TRIES - 1; t >= 0; t--) {
		gain_ridge(&w->parts.matrix.surface, learn, count, w->left, SURFACE_RIDGE[t], surface);
		for (uint32_t i = 0; i < setup->row_count; i++)
			if (w->fold[i] == fold)
				w->tried[WORDS_TRIES + t][i] = gain_dot(&w->parts.matrix.surface, i, surface);
	}
	for (uint32_t i = 0; rc == RC_OK && i < setup->row_count; i++)
		if (w->fold[i] == fold)
			w->held[GAIN_TOPICS][i] = gain_parts_of_topics(&w->parts, w->parts.texts[i]);
	gain_parts_forget_topics(&w->parts);
	free(words);
	free(learn);
	return rc;
}

/* Which of these predictions says most of what is left, each at its best scale. */
static int best_of(const struct work *w, double *const *tried, int count)
{
	int best = count - 1;
	double most = 0;
	for (int t = count - 1; t >= 0; t--) {
		double with = 0, own = 0;
		for (uint32_t i = 0; i < w->setup->row_count; i++)
			if (is_held(w, i)) {
				with += tried[t][i] * (gain_of(w, i) - w->base);
				own += tried[t][i] * tried[t][i];
			}
		double said = with > 0 && own > 0 ? with * with / own : 0;
		if (said > most) {
			most = said;
			best = t;
		}
	}
	return best;
}

/* Solves a x = b over the parts in the set (bits), by elimination; a is positive definite there. */
static void solve(double a[GAIN_PARTS][GAIN_PARTS], const double *b, unsigned set, double *x)
{
	double m[GAIN_PARTS][GAIN_PARTS + 1];
	for (int i = 0; i < GAIN_PARTS; i++) {
		bool in = (set >> i & 1) != 0;
		for (int j = 0; j < GAIN_PARTS; j++)
			m[i][j] = in && (set >> j & 1) != 0 ? a[i][j] : i == j;
		m[i][GAIN_PARTS] = in ? b[i] : 0;
	}
	for (int i = 0; i < GAIN_PARTS; i++)
		for (int k = 0; k < GAIN_PARTS; k++) {
			double times = k != i ? m[k][i] / m[i][i] : 0;
			for (int j = i; times != 0 && j <= GAIN_PARTS; j++)
				m[k][j] -= times * m[i][j];
		}
	for (int i = 0; i < GAIN_PARTS; i++)
		x[i] = m[i][GAIN_PARTS] / m[i][i];
}

/* Weights, none negative, under which the parts' sum comes nearest to what is left. */
static void mix(const struct work *w, double *weights)
{
	double a[GAIN_PARTS][GAIN_PARTS] = {{0}}, b[GAIN_PARTS] = {0}, best = INFINITY;
	uint32_t rows = 0;
	for (uint32_t i = 0; i < w->setup->row_count; i++) {
		rows += is_held(w, i);
		for (int j = 0; is_held(w, i) && j < GAIN_PARTS; j++) {
			b[j] += w->held[j][i] * (gain_of(w, i) - w->base);
			for (int k = 0; k < GAIN_PARTS; k++)
				a[j][k] += w->held[j][i] * w->held[k][i];
		}
	}
	for (int j = 0; j < GAIN_PARTS; j++) {
		double prior = a[j][j] * PRIOR_ROWS / (rows + 1.0) + 1e-12;
		a[j][j] += prior;
		b[j] += prior * PRIOR[j];
	}
	for (unsigned set = 0; set < 1u << GAIN_PARTS; set++) {
		double x[GAIN_PARTS], loss = 0;
		bool good = true;
		solve(a, b, set, x);
		for (int j = 0; j < GAIN_PARTS; j++) {
			good = good && x[j] >= 0;
			loss -= b[j] * x[j];
		}
		if (good && loss < best) {
			best = loss;
			memcpy(weights, x, sizeof x);
		}
	}
}

static enum rc hold_out(struct work *w, double *held, struct gain_train_report *report, struct err *err)
{
	const struct gain_train_setup *setup = w->setup;
	enum rc rc = RC_OK;
	for (uint32_t fold = 0; fold < w->folds && rc == RC_OK; fold++) {
		rc = try_fold(w, fold, err);
		if (setup->progress != NULL)
			setup->progress(setup->ctx, (fold + 1.0) / (w->folds + 1.0));
	}
	if (rc != RC_OK)
		return rc;
	int words = best_of(w, w->tried, WORDS_TRIES), surface = best_of(w, w->tried + WORDS_TRIES, SURFACE_TRIES);
	report->words_ridge = WORDS_RIDGE[words];
	report->surface_ridge = SURFACE_RIDGE[surface];
	w->held[GAIN_WORDS] = w->tried[words];
	w->held[GAIN_OF_SURFACE] = w->tried[WORDS_TRIES + surface];
	mix(w, report->weights);
	for (uint32_t i = 0; i < setup->row_count; i++) {
		held[i] = NAN;
		if (!is_held(w, i))
			continue;
		report->held_out++;
		held[i] = w->base;
		for (int j = 0; j < GAIN_PARTS; j++)
			held[i] += report->weights[j] * w->held[j][i];
	}
	return RC_OK;
}

/* ---- all rows -------------------------------------------------------------------------------------------------------- */

static enum rc fit_all(struct work *w, const struct gain_train_report *report, struct buf *ret_file, struct err *err)
{
	const struct gain_train_setup *setup = w->setup;
	uint32_t *all = heap_zalloc(setup->row_count, sizeof *all);
	for (uint32_t i = 0; i < setup->row_count; i++) {
		all[i] = i;
		w->left[i] = gain_of(w, i) - w->base;
	}
	w->parts.words = heap_zalloc((size_t)w->parts.matrix.words.places + w->parts.matrix.words.dim, sizeof *w->parts.words);
	gain_ridge(&w->parts.matrix.words, all, setup->row_count, w->left, report->words_ridge, w->parts.words);
	gain_ridge(&w->parts.matrix.surface, all, setup->row_count, w->left, report->surface_ridge, w->parts.surface);
	enum rc rc = gain_parts_topics(&w->parts, setup, all, setup->row_count, w->left, err);
	if (rc == RC_OK)
		gain_parts_write(&w->parts, setup, report, ret_file);
	if (setup->progress != NULL)
		setup->progress(setup->ctx, 1);
	gain_parts_forget_topics(&w->parts);
	free(w->parts.words);
	free(all);
	return rc;
}

static enum rc check(const struct gain_train_setup *setup, struct err *err)
{
	bool differs = false;
	for (uint32_t i = 1; i < setup->row_count && !differs; i++)
		differs = setup->rows[i].strong - setup->rows[i].weak != setup->rows[0].strong - setup->rows[0].weak;
	if (setup->row_count < GAIN_TRAIN_LEAST_ROWS || setup->row_count > GAIN_TRAIN_MAX_ROWS)
		return err_set(err, RC_BAD_INPUT, "there are %u rows; gains are learned from %d to %d", setup->row_count, GAIN_TRAIN_LEAST_ROWS,
		               GAIN_TRAIN_MAX_ROWS);
	if (!differs)
		return err_set(err, RC_BAD_INPUT, "the strong model is as much better in every row: there is nothing to tell apart");
	return RC_OK;
}

enum rc gain_train(const struct gain_train_setup *setup, double *held, struct buf *ret_file, struct gain_train_report *ret_report, struct err *err)
{
	struct work w = {.setup = setup};
	struct arena arena;
	enum rc rc = check(setup, err);
	if (rc != RC_OK)
		return rc;
	uint32_t rows = setup->row_count;
	arena_init(&arena, 1 << 16);
	w.parts.texts = arena_array(&arena, rows, sizeof *w.parts.texts);
	w.parts.topic = arena_array(&arena, rows, sizeof *w.parts.topic);
	w.fold = arena_array(&arena, rows, sizeof *w.fold);
	w.left = arena_array(&arena, rows, sizeof *w.left);
	w.held[GAIN_TOPICS] = arena_array(&arena, rows, sizeof(double));
	for (int t = 0; t < WORDS_TRIES + SURFACE_TRIES; t++)
		w.tried[t] = arena_array(&arena, rows, sizeof(double));
	for (uint32_t i = 0; i < rows; i++)
		w.base += gain_of(&w, i) / rows;
	strip_preambles(&w);
	gain_matrix_read(&w.parts.matrix, w.parts.texts, rows, setup->model);
	name_topics(&w, &arena);
	deal_folds(&w);
	struct gain_train_report report = {.topics = w.parts.topic_count, .preambles = w.parts.preamble_count, .topics_found = !w.parts.named, .base = w.base};
	rc = hold_out(&w, held, &report, err);
	if (rc == RC_OK)
		rc = fit_all(&w, &report, ret_file, err);
	if (rc == RC_OK)
		*ret_report = report;
	gain_matrix_free(&w.parts.matrix);
	arena_free(&arena);
	return rc;
}
