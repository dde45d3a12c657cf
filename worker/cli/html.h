/*
 * html.h: pieces of a page that needs nothing but itself: escaped texts, sections, and charts as SVG.
 *
 * A chart's every mark has its numbers as a title, and its colours are the page's. Thread: any. Pure.
 */
#ifndef CLI_HTML_H
#define CLI_HTML_H

#include "common/str.h"
#include "worker/lab/stats.h"

void html_escaped(struct buf *out, struct str s);
void html_percent(struct buf *out, double share);                /* NAN: a dash */
void html_interval(struct buf *out, const struct share *share);  /* NAN: a dash */
void html_cell_name(struct buf *out, struct str name);
void html_cell_number(struct buf *out, int64_t n);
void html_cell_percent(struct buf *out, double share);
void html_cell_interval(struct buf *out, const struct share *share);
/* title and words are HTML. Closed by html_section_end. */
void html_section(struct buf *out, const char *title, const char *words);
void html_section_end(struct buf *out);

/* Both axes begin at 0 and are told in percent. */
struct html_chart {
	struct buf *out;
	double x_max, y_max;
};
struct html_point {
	double x, y; /* shares */
};
void html_chart_begin(struct html_chart *chart, struct buf *out, const char *name, const char *x_words, const char *y_words, double x_max,
                      double y_max);
void html_chart_line(const struct html_chart *chart, const struct html_point *points, uint32_t count, const char *class);
/* size: of the mark, 3 to 12. words: its title, text. */
void html_chart_dot(const struct html_chart *chart, struct html_point at, double size, const char *class, const char *words);
void html_chart_end(const struct html_chart *chart);

#endif
