/*
 * label_book.h: which rows of a set have their label by now, and the way back.
 *
 * Rows are known again by their messages, so a set may have got more rows, or others' order, since it was last worked on; of equal
 * rows the first is taken first.
 *
 * Thread: one at a time. Pure.
 */
#ifndef LAB_LABEL_BOOK_H
#define LAB_LABEL_BOOK_H

#include "worker/lab/dataset.h"

struct label_book;
enum label_back { LABEL_BACK_NOWHERE, LABEL_BACK_SKIPPED, LABEL_BACK_ANSWERED, LABEL_BACK_FOREIGN };

struct label_book *label_book_new(const struct dataset_row *rows, uint32_t count); /* keeps none of the rows */
void label_book_free(struct label_book *book);                                     /* NULL is fine */

/* An answer that was given earlier, in the order of the answers. false: it is of no row of the set. */
bool label_book_recall(struct label_book *book, const struct dataset_row *answered);
/* The first row that is neither answered nor skipped; -1: there is none. */
int64_t label_book_next(const struct label_book *book);
void label_book_answer(struct label_book *book, uint32_t row);
void label_book_skip(struct label_book *book, uint32_t row);
/* Takes back the last step. SKIPPED and ANSWERED: *ret_row is open again. FOREIGN: the last answer is of no row of the set, and
 * stays. */
enum label_back label_book_back(struct label_book *book, uint32_t *ret_row);

uint32_t label_book_answered(const struct label_book *book); /* of the rows */
uint32_t label_book_skipped(const struct label_book *book);

#endif
