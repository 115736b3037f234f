/*
 * pub_mqtt_link: see pub_mqtt_link.h. pub_mqtt.c owns one at a time.
 *
 *   naming -> connecting (TCP, TLS, CONNECT) -> up -> ended
 *
 * libmosquitto is called for nothing but its socket: it is told when that can be read or written and once a second what
 * time it is. It would resolve names by blocking, so it is given an address, and a TLS context that knows the name. Its
 * callbacks come inside its own calls, where it may not be destroyed: what ends the link is noted there and acted upon
 * afterwards.
 */
#include "pub_mqtt_link.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/io.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/tls.h"

enum { KEEPALIVE_S = 20, CONNECT_MS = 15000, MISC_MS = 1000, PACKETS = 1000, TEXT_MAX = 200 };

enum state { STATE_NAMING, STATE_CONNECTING, STATE_UP, STATE_ENDED };

static const struct {
    const char *name;
    unsigned next;
} states[] = {
    [STATE_NAMING] = {"naming", 1u << STATE_CONNECTING | 1u << STATE_ENDED},
    [STATE_CONNECTING] = {"connecting", 1u << STATE_UP | 1u << STATE_ENDED},
    [STATE_UP] = {"up", 1u << STATE_ENDED},
    [STATE_ENDED] = {"ended", 0},
};

/* What a broker says to CONNECT: codes of 3.1.1, then of 5.0. */
static const struct {
    int reason;
    const char *code;
    bool slow, old;
} refusals[] = {
    {CONNACK_REFUSED_PROTOCOL_VERSION, "mqtt-protocol", false, true},
    {CONNACK_REFUSED_IDENTIFIER_REJECTED, "mqtt-client-id", true, false},
    {CONNACK_REFUSED_BAD_USERNAME_PASSWORD, "mqtt-not-authorized", true, false},
    {CONNACK_REFUSED_NOT_AUTHORIZED, "mqtt-not-authorized", true, false},
    {MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION, "mqtt-protocol", false, true},
    {MQTT_RC_CLIENTID_NOT_VALID, "mqtt-client-id", true, false},
    {MQTT_RC_BAD_USERNAME_OR_PASSWORD, "mqtt-not-authorized", true, false},
    {MQTT_RC_NOT_AUTHORIZED, "mqtt-not-authorized", true, false},
};

struct pres_mqtt_link {
    struct loop *loop;
    struct pres_mqtt_handler handler;
    void *arg;
    char *host, *user, *client_id;
    struct secret *password;
    unsigned port;
    struct tls *tls;
    bool v5;
    enum state state;
    bool closed, inside;
    struct io_name *name;
    struct mosquitto *mosq;
    struct loop_fd *fd;
    struct loop_timer *timer; /* the attempt's deadline, then libmosquitto's clock */
    mosquitto_property *properties;
    uint32_t properties_expiry;
    const char *properties_type;
    bool accepted;
    const char *end_code; /* noted inside a callback, NULL: nothing */
    char end_text[TEXT_MAX];
    bool end_slow, end_old;
};

static void enter(struct pres_mqtt_link *l, enum state next, const char *why);
static void on_name(void *arg, const char *address, enum io_end why, const char *text);
static bool set_up(struct pres_mqtt_link *l);
static void on_fd(void *arg, int fd, unsigned ready);
static void on_timer(void *arg);
static void settle(struct pres_mqtt_link *l, int result);
static void fail(struct pres_mqtt_link *l, int result, int error);
static void finish(struct pres_mqtt_link *l, const char *code, const char *text, bool slow, bool old);
static void on_connect(struct mosquitto *m, void *arg, int reason, int flags, const mosquitto_property *p);
static void on_publish(struct mosquitto *m, void *arg, int mid, int reason, const mosquitto_property *p);
static void on_message(struct mosquitto *m, void *arg, const struct mosquitto_message *message);
static void free_all(void *obj);

struct pres_mqtt_link *pres_mqtt_link_new(struct loop *loop, const struct pres_mqtt_link_settings *s,
                                          const struct pres_mqtt_handler *handler, void *arg)
{
    static bool ready;
    struct pres_mqtt_link *l = mem_calloc(1, sizeof *l);
    if (!ready)
        mosquitto_lib_init();
    ready = true;
    l->loop = loop;
    l->handler = *handler;
    l->arg = arg;
    l->host = mem_strdup(s->host);
    l->port = s->port;
    l->tls = s->tls;
    l->client_id = mem_strdup(s->client_id);
    l->user = mem_strdup_or_null(s->user);
    l->password = s->password ? secret_copy(s->password) : NULL;
    l->v5 = s->v5;
    l->mosq = mosquitto_new(l->client_id, true, l);
    if (!l->mosq)
        abort(); /* no memory, or no client id, which the settings have checked */
    mosquitto_will_set(l->mosq, s->will_topic, 1, "0", 1, true);
    l->timer = loop_timer_new(loop, "mqtt link", on_timer, l);
    loop_timer_in(l->timer, CONNECT_MS);
    l->name = io_name_find(loop, l->host, on_name, l);
    return l;
}

void pres_mqtt_link_close(struct pres_mqtt_link **lp, bool goodbye)
{
    struct pres_mqtt_link *l = *lp;
    if (!l)
        return;
    *lp = NULL;
    l->closed = true;
    io_name_cancel(&l->name);
    loop_timer_free(&l->timer);
    loop_fd_free(&l->fd);
    if (goodbye && l->state == STATE_UP && !l->inside)
        mosquitto_disconnect(l->mosq);
    l->state = STATE_ENDED;
    loop_reap(l->loop, free_all, l);
}

int pres_mqtt_link_publish(struct pres_mqtt_link *l, const char *topic, const void *payload, size_t len,
                           uint32_t expiry_s, const char *content_type)
{
    int mid, result;
    if (l->state != STATE_UP || l->end_code)
        return -1;
    if (l->v5 && len > 0 &&
        (expiry_s != l->properties_expiry || content_type != l->properties_type || !l->properties)) {
        mosquitto_property_free_all(&l->properties);
        if (expiry_s)
            mosquitto_property_add_int32(&l->properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, expiry_s);
        if (content_type)
            mosquitto_property_add_string(&l->properties, MQTT_PROP_CONTENT_TYPE, content_type);
        mosquitto_property_add_byte(&l->properties, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, 1);
        l->properties_expiry = expiry_s;
        l->properties_type = content_type;
    }
    result =
        mosquitto_publish_v5(l->mosq, &mid, topic, (int)len, payload, 1, true, l->v5 && len > 0 ? l->properties : NULL);
    if (result == MOSQ_ERR_SUCCESS)
        return mid;
    if (result == MOSQ_ERR_RETAIN_NOT_SUPPORTED || result == MOSQ_ERR_QOS_NOT_SUPPORTED) {
        l->end_code = "mqtt-no-retain";
        l->end_slow = true;
        snprintf(l->end_text, sizeof l->end_text, "the broker keeps no messages: %s", mosquitto_strerror(result));
        loop_timer_in(l->timer, 0);
    }
    return -1;
}

void pres_mqtt_link_subscribe(struct pres_mqtt_link *l, const char *topic)
{
    mosquitto_subscribe(l->mosq, NULL, topic, 1);
}

void pres_mqtt_link_flush(struct pres_mqtt_link *l)
{
    if (l->fd)
        loop_fd_want(l->fd, LOOP_READ | (mosquitto_want_write(l->mosq) ? LOOP_WRITE : 0));
}

bool pres_mqtt_link_waiting(const struct pres_mqtt_link *l)
{
    return l->state == STATE_UP && mosquitto_want_write(l->mosq);
}

static void enter(struct pres_mqtt_link *l, enum state next, const char *why)
{
    if (!(states[l->state].next & 1u << next)) {
        log_error("mqtt", "a link cannot go from %s to %s", states[l->state].name, states[next].name);
        abort();
    }
    log_debug("mqtt", "link %s -> %s why=%s", states[l->state].name, states[next].name, why);
    l->state = next;
}

static void on_name(void *arg, const char *address, enum io_end why, const char *text)
{
    struct pres_mqtt_link *l = arg;
    l->name = NULL;
    if (!address) {
        finish(l, io_end_code(why), text, false, false);
        return;
    }
    enter(l, STATE_CONNECTING, address);
    if (!set_up(l)) {
        finish(l, "config-value", "libmosquitto takes these settings not", true, false);
        return;
    }
    errno = 0;
    int result = mosquitto_connect_async(l->mosq, address, (int)l->port, KEEPALIVE_S), fd = mosquitto_socket(l->mosq);
    if (result != MOSQ_ERR_SUCCESS || fd < 0) {
        fail(l, result, errno);
        return;
    }
    l->fd = loop_fd_new(l->loop, "mqtt", fd, on_fd, l);
    pres_mqtt_link_flush(l);
}

static bool set_up(struct pres_mqtt_link *l)
{
    void *context = l->tls ? tls_context_for(l->tls, l->host) : NULL;
    mosquitto_connect_v5_callback_set(l->mosq, on_connect);
    mosquitto_publish_v5_callback_set(l->mosq, on_publish);
    mosquitto_message_callback_set(l->mosq, on_message);
    mosquitto_max_inflight_messages_set(l->mosq, 0); /* whoever publishes counts */
    return mosquitto_int_option(l->mosq, MOSQ_OPT_PROTOCOL_VERSION, l->v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311) ==
               0 &&
           mosquitto_int_option(l->mosq, MOSQ_OPT_TCP_NODELAY, 1) == 0 &&
           mosquitto_username_pw_set(l->mosq, l->user, l->password ? secret_bytes(l->password, &(size_t){0}) : NULL) ==
               0 &&
           (!l->tls || (context && mosquitto_int_option(l->mosq, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0) == 0 &&
                        mosquitto_void_option(l->mosq, MOSQ_OPT_SSL_CTX, context) == 0));
}

static void on_fd(void *arg, int fd, unsigned ready)
{
    struct pres_mqtt_link *l = arg;
    int result = MOSQ_ERR_SUCCESS;
    errno = 0;
    l->inside = true;
    if (ready & LOOP_READ) {
        int on = 1; /* a broker that gathers small packets waits for each of ours */
        result = mosquitto_loop_read(l->mosq, PACKETS);
        if (result == MOSQ_ERR_SUCCESS)
            setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    }
    if (result == MOSQ_ERR_SUCCESS && (ready & LOOP_WRITE))
        result = mosquitto_loop_write(l->mosq, PACKETS);
    l->inside = false;
    settle(l, result);
}

static void on_timer(void *arg)
{
    struct pres_mqtt_link *l = arg;
    if (l->state != STATE_UP) {
        finish(l, l->state == STATE_NAMING ? "dns-timeout" : "tcp-timeout", "the broker did not answer in time", false,
               false);
        return;
    }
    errno = 0;
    loop_timer_in(l->timer, MISC_MS);
    l->inside = true;
    int result = l->end_code ? MOSQ_ERR_SUCCESS : mosquitto_loop_misc(l->mosq);
    l->inside = false;
    settle(l, result);
}

/* After each call into the library: what did its callbacks note? */
static void settle(struct pres_mqtt_link *l, int result)
{
    int error = errno;
    if (l->closed || l->state == STATE_ENDED)
        return;
    if (l->end_code) {
        finish(l, l->end_code, l->end_text, l->end_slow, l->end_old);
        return;
    }
    if (result != MOSQ_ERR_SUCCESS) {
        fail(l, result, error);
        return;
    }
    if (l->accepted && l->state == STATE_CONNECTING) {
        enter(l, STATE_UP, l->v5 ? "5.0" : "3.1.1");
        loop_timer_in(l->timer, MISC_MS);
        l->handler.up(l->arg);
    }
    if (!l->closed)
        pres_mqtt_link_flush(l);
}

/* A broker that knows only 3.1.1 may just hang up, or say something that is no 5.0. */
static void fail(struct pres_mqtt_link *l, int result, int error)
{
    char text[TEXT_MAX];
    const char *refused = l->tls ? tls_context_why(l->tls) : NULL, *code = "tcp-reset";
    bool talked = result == MOSQ_ERR_CONN_LOST || result == MOSQ_ERR_PROTOCOL || result == MOSQ_ERR_MALFORMED_PACKET;
    if (result == MOSQ_ERR_TLS)
        code = "tls-untrusted";
    else if (result == MOSQ_ERR_ERRNO && (error == ECONNREFUSED || error == ENETUNREACH))
        code = "tcp-refused";
    else if (result == MOSQ_ERR_KEEPALIVE ||
             (result == MOSQ_ERR_ERRNO && (error == ETIMEDOUT || error == EHOSTUNREACH)))
        code = "tcp-timeout";
    else if (result == MOSQ_ERR_PROTOCOL || result == MOSQ_ERR_MALFORMED_PACKET)
        code = "mqtt-protocol";
    snprintf(text, sizeof text, "%s", result == MOSQ_ERR_ERRNO ? strerror(error) : mosquitto_strerror(result));
    if (result == MOSQ_ERR_TLS && refused)
        snprintf(text, sizeof text, "certificate: %s", refused);
    finish(l, code, text, false, talked && l->state == STATE_CONNECTING);
}

static void finish(struct pres_mqtt_link *l, const char *code, const char *text, bool slow, bool old)
{
    if (l->state == STATE_ENDED)
        return;
    enter(l, STATE_ENDED, code);
    loop_timer_stop(l->timer);
    loop_fd_free(&l->fd);
    l->handler.end(l->arg, code, text, slow, old);
}

static void on_connect(struct mosquitto *m, void *arg, int reason, int flags, const mosquitto_property *p)
{
    struct pres_mqtt_link *l = arg;
    (void)m, (void)flags, (void)p;
    if (reason == 0) {
        l->accepted = true;
        return;
    }
    l->end_code = "mqtt-refused";
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (refusals[i].reason == reason) {
            l->end_code = refusals[i].code;
            l->end_slow = refusals[i].slow;
            l->end_old = refusals[i].old;
        }
    snprintf(l->end_text, sizeof l->end_text, "the broker refused: %s",
             reason < 128 ? mosquitto_connack_string(reason) : mosquitto_reason_string(reason));
}

static void on_publish(struct mosquitto *m, void *arg, int mid, int reason, const mosquitto_property *p)
{
    struct pres_mqtt_link *l = arg;
    (void)m, (void)p;
    if (!l->closed)
        l->handler.acked(l->arg, mid, reason < 128);
}

static void on_message(struct mosquitto *m, void *arg, const struct mosquitto_message *message)
{
    struct pres_mqtt_link *l = arg;
    (void)m;
    if (!l->closed && message->payloadlen >= 0)
        l->handler.echo(l->arg, message->topic, message->payload, (size_t)message->payloadlen);
}

static void free_all(void *obj)
{
    struct pres_mqtt_link *l = obj;
    mosquitto_destroy(l->mosq);
    mosquitto_property_free_all(&l->properties);
    secret_free(&l->password);
    free(l->host);
    free(l->user);
    free(l->client_id);
    free(l);
}
