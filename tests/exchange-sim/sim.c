/*
 * sim: the pretended server: puts the parts together, owns the clock, and starts over on a reset.
 */
#include "sim.h"

#include "base/buf.h"
#include "base/clk.h"
#include "base/httpd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "sim_file.h"
#include "sim_helper.h"
#include "sim_log.h"
#include "sim_store.h"
#include "sim_subscribe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEM_MAX (1u << 20)

int64_t sim_now(const struct sim *sim)
{
    if (sim->clock_fixed)
        return sim->clock_at;
    return clk_wall_s(loop_clk(sim->loop)) + sim->clock_offset;
}

/* Fills an empty store and switches from the command line and the data file. */
static bool fill(struct sim *sim, char *why, size_t why_size)
{
    struct sim_file file = {sim->store, &sim->faults, sim_now(sim)};
    if (sim->options.data != NULL && !sim_file_read(&file, sim->options.data, why, why_size))
        return false;
    for (size_t i = 0; sim->options.set != NULL && sim->options.set[i] != NULL; i++)
        if (!sim_fault_set_line(&sim->faults, NULL, sim->options.set[i], why, why_size))
            return false;
    return true;
}

bool sim_reset(struct sim *sim, char *why, size_t why_size)
{
    sim_forms_expire(sim->forms);
    sim_subs_forget(sim->subs);
    sim_faults_free(&sim->faults);
    sim_store_free(&sim->store);
    sim_log_reset(sim->log);
    sim->store = sim_store_new(sim->options.seed);
    return fill(sim, why, why_size);
}

static char *read_pem(const char *path, char *why, size_t why_size)
{
    FILE *in = fopen(path, "re");
    if (in == NULL) {
        snprintf(why, why_size, "%s: %m", path);
        return NULL;
    }
    struct buf b;
    buf_init(&b, PEM_MAX);
    char *room = buf_room(&b, PEM_MAX);
    if (room != NULL)
        b.len += fread(room, 1, PEM_MAX, in);
    fclose(in);
    buf_addc(&b, '\n');
    return buf_take(&b);
}

static bool listen_http(struct sim *sim, char *why, size_t why_size)
{
    struct httpd_settings settings = {.listen = sim->options.listen, .max_connections = 20000, .max_header = 64 << 10};
    char *cert = NULL, *key = NULL;
    if (sim->options.tls_cert != NULL && ((cert = read_pem(sim->options.tls_cert, why, why_size)) == NULL ||
                                          (key = read_pem(sim->options.tls_key, why, why_size)) == NULL)) {
        free(cert);
        return false;
    }
    settings.tls_cert_pem = cert;
    settings.tls_key_pem = key;
    sim->http = httpd_new(sim->loop, &settings, sim_http_request, sim, why, why_size);
    free(cert);
    free(key);
    return sim->http != NULL;
}

struct sim *sim_new(struct loop *loop, const struct sim_options *options, char *why, size_t why_size)
{
    struct sim *sim = mem_calloc(1, sizeof(*sim));
    struct httpd_settings control = {.listen = options->control};
    sim->loop = loop;
    sim->options = *options;
    sim->clock_fixed = options->clock != 0;
    sim->clock_at = options->clock;
    sim->store = sim_store_new(options->seed);
    sim->forms = sim_forms_new();
    sim_faults_init(&sim->faults, options->profile);
    sim->helpers = sim_helpers_new(loop, options->ntlm_helper);
    sim->subs = sim_subs_new(sim);
    sim->log = sim_log_new(options->log);
    bool ok = sim->log != NULL;
    if (!ok)
        snprintf(why, why_size, "%s: %m", options->log);
    ok = ok && fill(sim, why, why_size) && listen_http(sim, why, why_size);
    if (ok)
        sim->control = httpd_new(loop, &control, sim_control_request, sim, why, why_size);
    if (!ok || sim->control == NULL)
        sim_free(&sim);
    return sim;
}

void sim_free(struct sim **sim)
{
    if (*sim == NULL)
        return;
    httpd_free(&(*sim)->http);
    httpd_free(&(*sim)->control);
    sim_helpers_free(&(*sim)->helpers); /* connections gave theirs back */
    sim_forms_free(&(*sim)->forms);
    sim_subs_free(&(*sim)->subs);
    sim_faults_free(&(*sim)->faults);
    sim_store_free(&(*sim)->store);
    sim_log_free(&(*sim)->log);
    free(*sim);
    *sim = NULL;
}
