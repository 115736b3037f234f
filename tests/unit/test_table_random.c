/*
 * table: a random company that is compared with the pure function at every second.
 */
#include "table_world.h"

#define COMPANY 60
#define SERVERS 4

static uint64_t seed;

static unsigned pick(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

struct company {
    struct fixture f;
    struct pres_presence told[COMPANY]; /* by id */
    bool here[COMPANY];
};

static void company_change(void *arg, pres_id id, const struct pres_presence *now)
{
    struct company *c = arg;
    struct pres_presence right;

    assert_true(id < COMPANY && c->here[id]);
    assert_false(pres_presence_same(&c->told[id], now)); /* no news without a difference */
    pres_table_presence(c->f.table, id, &right);
    assert_true(pres_presence_same(&right, now));
    c->told[id] = *now;
}

static void company_act(struct company *c, pres_id id)
{
    int64_t now = now_s(&c->f);
    struct pres_interval in[4];
    char address[32], alias[32];
    unsigned n = pick(5);

    snprintf(address, sizeof(address), "P%u@example.com", id);
    snprintf(alias, sizeof(alias), "Alias%u@example.com", pick(COMPANY));
    if (!c->here[id]) {
        pres_id got = add(&c->f, address, pick(2) ? NULL : alias);

        for (id = 0; id != got && got != PRES_NOBODY; id++)
            ;
        if (got == PRES_NOBODY)
            return;
        c->here[got] = true;
        pres_table_presence(c->f.table, got, &c->told[got]);
        return;
    }
    switch (pick(10)) {
    case 0:
        pres_table_fail(c->f.table, id, pick(2) ? "tcp-refused" : "throttled");
        break;
    case 1:
        pres_table_remove(c->f.table, id);
        c->here[id] = false;
        break;
    case 2:
        pres_table_respec(
            c->f.table, id,
            &(struct pres_person_spec){
                .publish_as = pick(2) ? alias : NULL, .stale_after = 20 + pick(60), .server = (uint16_t)pick(SERVERS)});
        break;
    case 3:
        pres_table_confirm(c->f.table, id, now - pick(200));
        break;
    case 4:
        pres_table_withdraw(c->f.table, id, "freebusy-differs");
        break;
    default:
        for (unsigned i = 0; i < n; i++) {
            in[i].start = now - 20 + pick(60);
            in[i].end = in[i].start + pick(30);
            in[i].kind = (enum pres_kind)pick(PRES_UNKNOWN);
        }
        pres_table_update(c->f.table, id, in, n, now - pick(30), now + pick(90), now - pick(pick(2) ? 5 : 300));
    }
}

static void older(int64_t *oldest, int64_t as_of)
{
    if (as_of && (*oldest == 0 || as_of < *oldest))
        *oldest = as_of;
}

static void company_check(struct company *c)
{
    size_t by_state[PRES_KINDS] = {0}, count = 0;
    int64_t oldest[SERVERS] = {0}, oldest_of_all = 0;
    struct pres_table_stats stats;
    struct pres_presence right, told;

    for (pres_id id = 0; id < COMPANY; id++) {
        if (!c->here[id])
            continue;
        count++;
        pres_table_presence(c->f.table, id, &right);
        if (!pres_presence_same(&right, &c->told[id]))
            fail_msg("person %u is %s, was told as %s", id, pres_kind_name(right.state),
                     pres_kind_name(c->told[id].state));
        pres_table_told(c->f.table, id, &told);
        assert_true(pres_presence_same(&told, &c->told[id]));
        assert_int_equal(pres_table_find(c->f.table, pres_table_address(c->f.table, id)), id);
        assert_int_equal(pres_table_find(c->f.table, pres_table_publish_as(c->f.table, id)), id);
        by_state[right.state]++;
        older(&oldest[pres_table_server(c->f.table, id)], right.as_of);
        older(&oldest_of_all, right.as_of);
    }
    pres_table_stats(c->f.table, &stats);
    assert_int_equal(stats.persons, count);
    assert_memory_equal(stats.by_state, by_state, sizeof(by_state));
    assert_int_equal(stats.oldest_as_of, oldest_of_all);
    for (unsigned server = 0; server < SERVERS; server++)
        assert_int_equal(pres_table_oldest(c->f.table, server), oldest[server]);
}

static void test_random_company(void **state)
{
    struct company c = {.f = {.remove = PRES_NOBODY}};

    (void)state;
    seed = 5;
    c.f.clk = clk_fake_new(NOON * 1000 + 250);
    c.f.loop = loop_new(c.f.clk);
    c.f.table = pres_table_new(c.f.loop, company_change, &c);
    for (unsigned second = 0; second < 20000; second++) {
        for (unsigned acts = pick(6); acts > 0; acts--)
            company_act(&c, pick(COMPANY));
        loop_turn(c.f.loop, 0);
        company_check(&c);
        loop_advance(c.f.loop, 1000);
        company_check(&c);
        if (pick(500) == 0) {
            clk_fake_step_wall(c.f.clk, ((int64_t)pick(200) - 100) * 1000);
            loop_advance(c.f.loop, 60000);
            turns(&c.f);
            company_check(&c);
        }
    }
    teardown(&c.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_company),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
