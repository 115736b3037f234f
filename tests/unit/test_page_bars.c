/* page_bars: what is known as bars, cut to the days shown; what is not known is never blank, for blank means free. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "page.h"

#define DAY0 INT64_C(1799971200) /* 2027-01-15T00:00:00Z */

enum { HOUR = 3600, DAY = 86400 };

static char *draw(const struct pres_known *known, bool lost)
{
    struct buf b;
    buf_init(&b, 65536);
    struct gw_bars bars = {.from = DAY0,
                           .until = DAY0 + 2 * DAY,
                           .now = DAY0 + 12 * HOUR,
                           .middle = DAY0 + DAY,
                           .known = known,
                           .lost = lost};
    gw_bars(&b, &bars);
    return buf_take(&b);
}

static void expect(char *svg, const char *part, bool there)
{
    if ((strstr(svg, part) != NULL) != there)
        fail_msg("%s is %sin %s", part, there ? "not " : "", svg);
}

static void test_cut(void **state)
{
    const struct pres_interval in[] = {{DAY0 - HOUR, DAY0 + 12 * HOUR, PRES_BUSY},
                                       {DAY0 + DAY, DAY0 + DAY + 12 * HOUR, PRES_OOF},
                                       {DAY0 + 3 * DAY, DAY0 + 3 * DAY + HOUR, PRES_TENTATIVE}};
    struct pres_known known = {.set = pres_set_build(in, 3, DAY0 - DAY, DAY0 + 9 * DAY),
                               .from = DAY0 - DAY,
                               .until = DAY0 + 9 * DAY,
                               .as_of = DAY0,
                               .stale_after = DAY};
    (void)state;
    char *svg = draw(&known, false);
    expect(svg, "class=\"b-busy\" x=\"0.00%\" y=\"18%\" width=\"25.00%\"", true);
    expect(svg, "class=\"b-oof\" x=\"50.00%\" y=\"18%\" width=\"25.00%\"", true);
    expect(svg, "b-tentative", false);
    expect(svg, "b-unknown", false);
    expect(svg, "class=\"now\" x1=\"25.00%\"", true);
    expect(svg, "aria-label=\"busy 23:00 to 12:00, out of office 00:00 to 12:00\"", true);
    free(svg);
    svg = draw(&known, true); /* too old: everything unknown, whatever was known */
    expect(svg, "class=\"b-unknown\" x=\"0.00%\" y=\"18%\" width=\"100.00%\"", true);
    expect(svg, "b-busy", false);
    expect(svg, "aria-label=\"unknown\"", true);
    free(svg);
    free((void *)(uintptr_t)known.set);
}

static void test_window(void **state)
{
    struct pres_known known = {.from = DAY0 + 6 * HOUR, .until = DAY0 + DAY, .as_of = DAY0, .stale_after = DAY};
    (void)state;
    char *svg = draw(&known, false);
    expect(svg, "class=\"b-unknown\" x=\"0.00%\" y=\"18%\" width=\"12.50%\"", true);
    expect(svg, "class=\"b-unknown\" x=\"50.00%\" y=\"18%\" width=\"50.00%\"", true);
    expect(svg, "aria-label=\"free as far as is known, part of it was not asked about\"", true);
    free(svg);
    svg = draw(NULL, false);
    expect(svg, "class=\"b-unknown\" x=\"0.00%\" y=\"18%\" width=\"100.00%\"", true);
    free(svg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cut), cmocka_unit_test(test_window)};
    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
