/*
 * html.c: pieces of a page.
 */
#include "worker/cli/html.h"

#include <inttypes.h>
#include <math.h>

/* A chart's measures, in its own units; the page scales it. */
enum { WIDTH = 520, HEIGHT = 300, LEFT = 56, RIGHT = 24, TOP = 12, BOTTOM = 46, TICKS = 5 };

void html_escaped(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		switch (s.data[i]) {
		case '&': buf_cstr(out, "&amp;"); break;
		case '<': buf_cstr(out, "&lt;"); break;
		case '>': buf_cstr(out, "&gt;"); break;
		case '"': buf_cstr(out, "&quot;"); break;
		default: buf_char(out, (unsigned char)s.data[i] < 0x20 ? ' ' : s.data[i]); break;
		}
}

void html_percent(struct buf *out, double share)
{
	if (isnan(share))
		buf_cstr(out, "&ndash;");
	else
		buf_printf(out, "%.1f&nbsp;%%", share * 100);
}

void html_interval(struct buf *out, const struct share *s)
{
	if (isnan(s->share))
		buf_cstr(out, "&ndash;");
	else
		buf_printf(out, "%.1f to %.1f&nbsp;%%", s->low * 100, s->high * 100);
}

void html_cell_name(struct buf *out, struct str name)
{
	buf_cstr(out, "<td>");
	html_escaped(out, name);
	buf_cstr(out, "</td>");
}

void html_cell_number(struct buf *out, int64_t n)
{
	buf_printf(out, "<td>%" PRId64 "</td>", n);
}

void html_cell_percent(struct buf *out, double share)
{
	buf_cstr(out, "<td>");
	html_percent(out, share);
	buf_cstr(out, "</td>");
}

void html_cell_interval(struct buf *out, const struct share *s)
{
	buf_cstr(out, "<td>");
	html_interval(out, s);
	buf_cstr(out, "</td>");
}

void html_section(struct buf *out, const char *title, const char *words)
{
	buf_printf(out, "<section><h2>%s</h2><p>%s</p><div class=scroll>\n", title, words);
}

void html_section_end(struct buf *out)
{
	buf_cstr(out, "</div></section>\n");
}

/* ---- charts ---------------------------------------------------------------------------------------------------------- */

static double x_of(const struct html_chart *chart, double x)
{
	return LEFT + x / chart->x_max * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct html_chart *chart, double y)
{
	return HEIGHT - BOTTOM - y / chart->y_max * (HEIGHT - TOP - BOTTOM);
}

void html_chart_begin(struct html_chart *chart, struct buf *out, const char *name, const char *x_words, const char *y_words, double x_max,
                      double y_max)
{
	*chart = (struct html_chart){out, x_max, y_max};
	buf_printf(out, "<svg class=chart viewBox=\"0 0 %d %d\" role=img aria-label=\"", WIDTH, HEIGHT);
	html_escaped(out, str_of(name));
	buf_cstr(out, "\">\n");
	for (int i = 0; i <= TICKS; i++) {
		double x = x_max * i / TICKS, y = y_max * i / TICKS;
		buf_printf(out, "<path class=grid d=\"M%.1f %d V%d M%d %.1f H%d\"/>", x_of(chart, x), TOP, HEIGHT - BOTTOM, LEFT, y_of(chart, y), WIDTH - RIGHT);
		buf_printf(out, "<text x=%.1f y=%d text-anchor=middle>%.3g%%</text>", x_of(chart, x), HEIGHT - BOTTOM + 16, x * 100);
		buf_printf(out, "<text x=%d y=%.1f text-anchor=end>%.3g%%</text>\n", LEFT - 6, y_of(chart, y) + 4, y * 100);
	}
	buf_printf(out, "<text x=%d y=%d text-anchor=middle>%s</text>", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_words);
	buf_printf(out, "<text x=14 y=%d text-anchor=middle transform=\"rotate(-90 14 %d)\">%s</text>\n", (TOP + HEIGHT - BOTTOM) / 2,
	           (TOP + HEIGHT - BOTTOM) / 2, y_words);
}

void html_chart_line(const struct html_chart *chart, const struct html_point *points, uint32_t count, const char *class)
{
	buf_printf(chart->out, "<polyline class=%s points=\"", class);
	for (uint32_t i = 0; i < count; i++)
		buf_printf(chart->out, "%s%.1f,%.1f", i != 0 ? " " : "", x_of(chart, points[i].x), y_of(chart, points[i].y));
	buf_cstr(chart->out, "\"/>\n");
}

void html_chart_dot(const struct html_chart *chart, struct html_point at, double size, const char *class, const char *words)
{
	buf_printf(chart->out, "<circle class=%s cx=%.1f cy=%.1f r=%.1f><title>", class, x_of(chart, at.x), y_of(chart, at.y), size);
	html_escaped(chart->out, str_of(words));
	buf_cstr(chart->out, "</title></circle>\n");
}

void html_chart_end(const struct html_chart *chart)
{
	buf_cstr(chart->out, "</svg>\n");
}
