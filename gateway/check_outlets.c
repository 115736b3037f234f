/*
 * check_outlets: the last step of the check, one line an outlet: is it connected, is it let in, and did one message of
 * ours come back (or was acknowledged). Nothing is connected for it: the daemon's own connections answer, so a check
 * logs on nowhere a second time. What an outlet's codes mean stands here, as those of mail servers stand in
 * davclient/cause.c; those of the network that are not here mean the same for both.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/utc.h"
#include "check.h"
#include "davclient/cause.h"
#include "outlets.h"

static const struct outlet_cause {
    const char *code, *meaning, *advice;
} causes[] = {
    {"tcp-refused", "Nobody listens there.", "Start the server, or correct the address in publish."},
    {"tcp-timeout", "The server does not answer in time.", "Look at the network and at the load of the server."},
    {"tcp-reset", "The server ended the connection.", "Look into the server's log; the daemon tries again by itself."},
    {"dns-not-found", "The server's name does not exist.", "Correct the address in publish."},
    {"dns-timeout", "No name server answered.", "Look at this machine's name servers."},
    {"tls-untrusted", "The server's certificate is not good.",
     "Set ca_file to who signed it; its name must be the one in publish."},
    {"secret-unreadable", "The file with the secret cannot be read.",
     "Make it readable by the daemon alone (chmod 600)."},
    {"config-value", "The outlet could not be made of its configuration.",
     "Correct what the evidence names, and reload."},
    {"xmpp-not-authorized", "The XMPP server refuses the component's secret.",
     "Let secret_file be what the server has for the component."},
    {"xmpp-host-unknown", "The XMPP server knows no component of this name.",
     "Add the component to the server's configuration."},
    {"xmpp-conflict", "Somebody else is connected as this component.",
     "Stop the other gateway, or give one another name."},
    {"xmpp-policy", "The XMPP server refuses us by its policy.", "Look into the server's log."},
    {"xmpp-bad-xml", "What answers there is no XMPP server for components.",
     "Correct publish.xmpp.server: host and component port."},
    {"xmpp-redirected", "The XMPP server sends components elsewhere.",
     "Set publish.xmpp.server to the host that the evidence names."},
    {"xmpp-shutdown", "The XMPP server is stopping.", "Nothing, when it comes back: the daemon tries again by itself."},
    {"xmpp-stream-error", "The XMPP server ended the connection with an error.", "Look into the server's log."},
    {"mqtt-refused", "The broker refuses the connection.", "Look at the evidence, and into the broker's log."},
    {"mqtt-not-authorized", "The broker refuses name or password.",
     "Correct user and password_file, and the broker's own list."},
    {"mqtt-protocol", "What answers there is no broker of MQTT 5 or 3.1.1.", "Correct publish.mqtt.server."},
    {"mqtt-client-id", "The broker refuses our client_id.", "Set publish.mqtt.client_id to one that it takes."},
    {"mqtt-no-retain", "The broker keeps no messages.", "Allow retained messages and QoS 1 for us."},
    {"mqtt-no-answer", "The broker does not acknowledge messages.", "Look into the broker's log."},
    {"sip-not-authorized", "The SIP server refuses name or password, or what they may publish.",
     "Correct user and password_file, and let that user publish for others."},
    {"sip-timeout", "The SIP server does not answer.", "Correct publish.sip.server, or start it; look at firewalls."},
    {"sip-503", "The SIP server says that it is not available.", "Look into the server's log."},
    {"sip-no-presence", "The SIP server takes no publications of presence.",
     "Load its presence module (Kamailio: presence, pua), or let phones watch at publish.sip.listen."},
    {"sip-malformed", "What came over the connection is no SIP, or too large.",
     "Correct publish.sip.server: host, port and transport."},
    {"sip-listen", "The address for phones cannot be listened on.",
     "Stop what has the port, or set another address in publish.sip.listen."},
    {"webhook-not-authorized", "The hook refuses us.", "Correct secret_file or token_file; it is read anew by itself."},
    {"webhook-refused", "The hook answers with errors.", "Look into the receiver's log."},
    {"webhook-gone", "The hook says that it is there no more.", "Take it out of publish.webhooks, or correct its URL."},
    {"webhook-redirect", "The hook redirects to where we cannot follow.", "Set the URL that is meant."},
    {"webhook-forbidden-address", "The hook redirects to an address of this machine or this link.",
     "Set the URL that is meant; allow_inner if it really is."},
    {"relay-not-authorized", "The far end of the relay refuses us.",
     "Compare our keys, stream and password with what the far end is configured with; its log and its status name the "
     "reason."},
    {"relay-refused", "The far end of the relay refuses what we send.",
     "Look into the far end's log; compare both clocks."},
    {"redirect-foreign", "The hook redirects to another host, which must not have our token.",
     "Set the URL that is meant."},
};

static void add_line(struct buf *out, const struct pres_publisher_status *s);

bool gw_check_outlets(struct buf *out, const struct gateway *g)
{
    bool well = true;
    for (size_t i = 0; i < gw_outlet_count(g); i++) {
        struct pres_publisher_status s;
        gw_outlet_status(g, i, &s);
        well = well && !s.code && !s.check_code;
        add_line(out, &s);
    }
    return well;
}

void gw_check_print_causes(struct buf *out)
{
    for (size_t i = 0; i < dav_cause_count(); i++) {
        const struct dav_cause *c = dav_cause_at(i);
        buf_addf(out, "%s\t%s\t%s\t%s\n", dav_step_name(c->step), c->code, c->meaning, c->advice);
    }
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++)
        buf_addf(out, "%s\t%s\t%s\t%s\n", dav_step_name(DAV_STEP_PUBLISH), causes[i].code, causes[i].meaning,
                 causes[i].advice);
}

const char *gw_outlet_cause(const char *code, const char **ret_advice)
{
    *ret_advice = NULL;
    if (!code)
        return NULL;
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++)
        if (strcmp(causes[i].code, code) == 0) {
            *ret_advice = causes[i].advice;
            return causes[i].meaning;
        }
    const struct dav_cause *known = dav_cause_find(code);
    *ret_advice = known ? known->advice : "Look at the evidence, and into the daemon's log.";
    return known ? known->meaning : "The outlet is down.";
}

static void add_line(struct buf *out, const struct pres_publisher_status *s)
{
    char since[UTC_TEXT_MAX], proved[UTC_TEXT_MAX], evidence[400];
    const char *code = s->code ? s->code : s->check_code, *text = s->code ? s->text : s->check_text;
    const char *advice, *meaning = gw_outlet_cause(code, &advice);
    bool ok = !code;
    if (!ok)
        snprintf(evidence, sizeof evidence, "%s: %s", s->name, text ? text : "");
    else if (strcmp(s->state, "up") != 0)
        snprintf(evidence, sizeof evidence, "%s: %s", s->name, s->state);
    else
        snprintf(evidence, sizeof evidence, "%s: connected and let in since %s, %s%s", s->name,
                 utc_rfc3339(s->since, since),
                 s->proved_at ? "one message delivered to itself at " : "nothing delivered to itself yet",
                 s->proved_at ? utc_rfc3339(s->proved_at, proved) : "");
    struct jv *v = jv_set_str(jv_object(), "step", dav_step_name(DAV_STEP_PUBLISH));
    jv_set_bool(v, "ok", ok);
    jv_set_str(v, "outlet", s->name);
    jv_set_str(v, "code", code);
    jv_set_str(v, "meaning", meaning);
    jv_set_str(v, "evidence", evidence);
    jv_set_str(v, "advice", advice);
    jv_write(out, v, false);
    buf_addc(out, '\n');
    jv_free(&v);
}
