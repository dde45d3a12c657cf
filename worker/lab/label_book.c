/*
 * label_book.c: a mark a row, and a pile of steps.
 *
 * The one idea: the pile holds what was done in the order in which it was done, earlier runs included, so the way back leads as far
 * as there are answers.
 */
#include "worker/lab/label_book.h"

#include <stdlib.h>

#include "common/hmac.h"

enum { NO_ROW = -1 };

struct print {
	uint64_t value;
	uint32_t row;
};
struct label_book {
	struct print *prints; /* sorted */
	uint8_t *marks;       /* by row */
	int64_t *pile;        /* rows; NO_ROW: an answer for another set */
	uint32_t count, pile_count, pile_cap, answered, skipped;
};
enum { MARK_OPEN, MARK_ANSWERED, MARK_SKIPPED };

static uint64_t print_of(struct sha256 *hash, const struct dataset_row *row)
{
	uint8_t bytes[SHA256_BYTES];
	uint64_t value;
	sha256_begin(hash);
	for (uint32_t i = 0; i < row->req.message_count; i++) {
		sha256_add_field(hash, row->req.messages[i].role);
		sha256_add_field(hash, row->req.messages[i].content);
	}
	sha256_end(hash, bytes);
	memcpy(&value, bytes, sizeof value);
	return value;
}

static int by_value(const void *a, const void *b)
{
	const struct print *x = a, *y = b;
	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

struct label_book *label_book_new(const struct dataset_row *rows, uint32_t count)
{
	struct label_book *book = heap_zalloc(1, sizeof *book);
	struct sha256 *hash = sha256_new();
	book->count = count;
	book->prints = heap_zalloc((size_t)count + 1, sizeof *book->prints);
	book->marks = heap_zalloc((size_t)count + 1, sizeof *book->marks);
	for (uint32_t i = 0; i < count; i++)
		book->prints[i] = (struct print){print_of(hash, &rows[i]), i};
	qsort(book->prints, count, sizeof *book->prints, by_value);
	sha256_free(hash);
	return book;
}

void label_book_free(struct label_book *book)
{
	if (book == NULL)
		return;
	free(book->prints);
	free(book->marks);
	free(book->pile);
	free(book);
}

static void pile_up(struct label_book *book, int64_t row)
{
	if (book->pile_count == book->pile_cap) {
		book->pile_cap = book->pile_cap != 0 ? book->pile_cap * 2 : 64;
		book->pile = heap_resize(book->pile, book->pile_cap, sizeof *book->pile);
	}
	book->pile[book->pile_count++] = row;
}

bool label_book_recall(struct label_book *book, const struct dataset_row *answered)
{
	struct sha256 *hash = sha256_new();
	uint64_t value = print_of(hash, answered);
	sha256_free(hash);
	uint32_t low = 0, high = book->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (book->prints[middle].value < value)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < book->count && book->prints[low].value == value; low++)
		if (book->marks[book->prints[low].row] == MARK_OPEN) {
			label_book_answer(book, book->prints[low].row);
			return true;
		}
	pile_up(book, NO_ROW);
	return false;
}

int64_t label_book_next(const struct label_book *book)
{
	for (uint32_t i = 0; i < book->count; i++)
		if (book->marks[i] == MARK_OPEN)
			return i;
	return -1;
}

void label_book_answer(struct label_book *book, uint32_t row)
{
	book->marks[row] = MARK_ANSWERED;
	book->answered++;
	pile_up(book, row);
}

void label_book_skip(struct label_book *book, uint32_t row)
{
	book->marks[row] = MARK_SKIPPED;
	book->skipped++;
	pile_up(book, row);
}

enum label_back label_book_back(struct label_book *book, uint32_t *ret_row)
{
	if (book->pile_count == 0)
		return LABEL_BACK_NOWHERE;
	int64_t row = book->pile[book->pile_count - 1];
	if (row == NO_ROW)
		return LABEL_BACK_FOREIGN;
	bool answered = book->marks[row] == MARK_ANSWERED;
	book->answered -= answered;
	book->skipped -= !answered;
	book->marks[row] = MARK_OPEN;
	book->pile_count--;
	*ret_row = (uint32_t)row;
	return answered ? LABEL_BACK_ANSWERED : LABEL_BACK_SKIPPED;
}

uint32_t label_book_answered(const struct label_book *book) { return book->answered; }
uint32_t label_book_skipped(const struct label_book *book) { return book->skipped; }
