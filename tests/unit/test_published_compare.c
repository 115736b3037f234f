/*
 * published_compare: which differences between what is published and the calendar are differences.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "published_private.h"

#define NOW (INT64_C(1800000000) + 120) /* two minutes into a quarter */
#define Q INT64_C(900)

static struct gw_published o;

static struct dav_span span(int64_t first, int64_t end, enum dav_busy kind, unsigned traits)
{
    return (struct dav_span){INT64_C(1800000000) + first, INT64_C(1800000000) + end, kind, traits};
}

static void published(const struct dav_span *one)
{
    struct dav_result r = {.spans = one, .count = one ? 1 : 0, .until = NOW + 7 * 86400};
    gw_published_keep_near(&o, &r, NOW);
}

static void calendar(const struct dav_span *one)
{
    struct dav_result r = {.spans = one, .count = one ? 1 : 0, .until = NOW + 86400};
    gw_published_keep_calendar(&o, &r, NOW);
}

/* Quarters from now on in which the two contradict each other, of the first sixteen. */
static unsigned contradictions(const struct dav_span *a, const struct dav_span *b)
{
    struct gw_differs differs;
    unsigned n = 0;
    memset(&o, 0, sizeof(o));
    published(a);
    calendar(b);
    for (int64_t slot = 0; slot < 16; slot++)
        n += gw_published_contradicts(&o, INT64_C(1800000000) + slot * Q, &differs);
    return n;
}

static void differences(void **state)
{
    (void)state;
    struct dav_span meeting = span(4 * Q, 8 * Q, DAV_BUSY, 0), off_grid = span(4 * Q + 420, 7 * Q + 60, DAV_BUSY, 0);
    struct dav_span oof = span(4 * Q, 8 * Q, DAV_OOF, 0), maybe = span(4 * Q, 8 * Q, DAV_TENTATIVE, 0);
    struct dav_span declined = span(4 * Q, 8 * Q, DAV_BUSY, DAV_TRAIT_DECLINED);
    struct dav_span longer = span(4 * Q, 9 * Q, DAV_BUSY, 0), refused = span(4 * Q, 8 * Q, DAV_NOT_UNDERSTOOD, 0);
    assert_int_equal(contradictions(&meeting, &meeting), 0);
    assert_int_equal(contradictions(NULL, NULL), 0);
    assert_int_equal(contradictions(&meeting, NULL), 4);
    assert_int_equal(contradictions(NULL, &meeting), 4);
    assert_int_equal(contradictions(&oof, &meeting), 4);
    assert_int_equal(contradictions(&maybe, &meeting), 4);
    /* not worth telling */
    assert_int_equal(contradictions(&meeting, &off_grid), 0); /* rounded */
    assert_int_equal(contradictions(&longer, &meeting), 0);   /* a quarter too many */
    assert_int_equal(contradictions(NULL, &maybe), 0);        /* tentative need not be published */
    assert_int_equal(contradictions(NULL, &declined), 0);
    assert_int_equal(contradictions(&meeting, &declined), 0);
    assert_int_equal(contradictions(&meeting, &refused), 0); /* nobody knows what it is */
}

/* The same quarter again and again, until it is over or the two agree. */
static void looks(void **state)
{
    struct dav_span meeting = span(0, 8 * Q, DAV_BUSY, 0);
    (void)state;
    memset(&o, 0, sizeof(o));
    gw_published_look(&o, NOW); /* nothing is known */
    assert_int_equal(o.differs.at, 0);
    published(&meeting);
    calendar(NULL);
    for (unsigned i = 1; i <= 3; i++) {
        gw_published_look(&o, NOW + 60 * i);
        assert_int_equal(o.differed, i);
        assert_int_equal(o.differs.since, NOW + 60);
        assert_int_equal(o.differs.at, INT64_C(1800000000));
        assert_int_equal(o.differs.published, DAV_BUSY);
        assert_int_equal(o.differs.calendar, DAV_FREE);
    }
    gw_published_look(&o, NOW + Q); /* another quarter: it begins anew */
    assert_int_equal(o.differed, 1);
    assert_int_equal(o.differs.at, INT64_C(1800000000) + Q);
    o.told = true;
    gw_published_look(&o, NOW + 2 * Q); /* unless it was told: then it goes on */
    assert_int_equal(o.differed, 2);
    assert_int_equal(o.differs.since, NOW + Q);
    calendar(&meeting);
    gw_published_look(&o, NOW + 2 * Q);
    assert_int_equal(o.differs.at, 0);
    assert_int_equal(o.differed, 0);
}

/* What is published stands for the calendar when it is younger than the last change by as much as publishing takes. */
static void holding(void **state)
{
    (void)state;
    memset(&o, 0, sizeof(o));
    assert_false(gw_published_holds(&o, 0)); /* neither was read */
    o.as_of = NOW;
    assert_false(gw_published_holds(&o, 0)); /* the calendar was not */
    o.alone_as_of = o.changed_at = NOW - 600;
    assert_true(gw_published_holds(&o, 600));
    assert_false(gw_published_holds(&o, 601));
    o.alone_as_of = NOW + 300; /* nothing has changed since */
    assert_true(gw_published_holds(&o, 600));
    o.differs.at = NOW;
    assert_false(gw_published_holds(&o, 600));
    o.differs.at = 0;
    o.alone_code = "receive-as-missing";
    assert_false(gw_published_holds(&o, 600));
    o.alone_code = NULL;
    o.code = "freebusy-missing";
    assert_false(gw_published_holds(&o, 600));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences),
        cmocka_unit_test(looks),
        cmocka_unit_test(holding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
