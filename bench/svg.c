#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "base/err.h"

#include "bench/svg.h"

const char *tm_bench_svg_colour(size_t i)
{
  static const char *const colours[] = {"#0b6e99", "#3aa17e", "#d98e04", "#8a8f98", "#7a4fa3", "#b0413e"};

  return colours[i % (sizeof colours / sizeof colours[0])];
}

void tm_bench_svg_text(FILE *f, double x, double y, const char *anchor, const char *what)
{
  fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, what);
}

void tm_bench_svg_line(FILE *f, double x1, double y1, double x2, double y2)
{
  fprintf(f, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#d5d9de\"/>\n", x1, y1, x2, y2);
}

void tm_bench_svg_box(FILE *f, double x, double y, double width, double height, const char *colour)
{
  fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", x, y, width, height, colour);
}

FILE *tm_bench_svg_open(const char *path, int width, int height, double title_x, const char *title)
{
  FILE *f = fopen(path, "we");

  if (f == NULL)
    return NULL;
  fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n", width, height, width,
          height);
  fprintf(f, "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
             "<g font-family=\"sans-serif\" font-size=\"12\" fill=\"#24292f\">\n<g font-size=\"15\">");
  tm_bench_svg_text(f, title_x, 26, "start", title);
  fprintf(f, "</g>\n");
  return f;
}

int tm_bench_svg_close(FILE *f)
{
  int failed;

  fprintf(f, "</g>\n</svg>\n");
  failed = ferror(f);
  if (fclose(f) == 0 && !failed)
    return TM_OK;
  if (errno == 0)
    errno = EIO;
  return TM_E_IO;
}
