/*
 * gcp/fault.c - reading Google's error answers. See fault.h; what a user should do about them: explain.c.
 *
 * Everything here takes bytes from the network: sizes are capped, unknown parts are skipped, and there is
 * always some text to show.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/fault.h"
#include "gcp/json.h"
#include "gcp/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    int http;
} codes[] = {
    [GCP_OK] = {"OK", 200},
    [GCP_CANCELLED] = {"CANCELLED", 499},
    [GCP_UNKNOWN] = {"UNKNOWN", 500},
    [GCP_INVALID_ARGUMENT] = {"INVALID_ARGUMENT", 400},
    [GCP_DEADLINE_EXCEEDED] = {"DEADLINE_EXCEEDED", 504},
    [GCP_NOT_FOUND] = {"NOT_FOUND", 404},
    [GCP_ALREADY_EXISTS] = {"ALREADY_EXISTS", 409},
    [GCP_PERMISSION_DENIED] = {"PERMISSION_DENIED", 403},
    [GCP_RESOURCE_EXHAUSTED] = {"RESOURCE_EXHAUSTED", 429},
    [GCP_FAILED_PRECONDITION] = {"FAILED_PRECONDITION", 400},
    [GCP_ABORTED] = {"ABORTED", 409},
    [GCP_OUT_OF_RANGE] = {"OUT_OF_RANGE", 400},
    [GCP_UNIMPLEMENTED] = {"UNIMPLEMENTED", 501},
    [GCP_INTERNAL] = {"INTERNAL", 500},
    [GCP_UNAVAILABLE] = {"UNAVAILABLE", 503},
    [GCP_DATA_LOSS] = {"DATA_LOSS", 500},
    [GCP_UNAUTHENTICATED] = {"UNAUTHENTICATED", 401},
};
#define CODES ((int)(sizeof(codes) / sizeof(codes[0])))

const char *gcp_code_name(int code)
{
    return code >= 0 && code < CODES ? codes[code].name : "UNKNOWN";
}

int gcp_code_from_name(const char *name)
{
    for (int i = 0; i < CODES; i++)
        if (!strcasecmp(codes[i].name, name))
            return i;
    return -1;
}

int gcp_code_from_http(int status)
{
    static const struct {
        int http, code;
    } map[] = {{400, GCP_INVALID_ARGUMENT},    {401, GCP_UNAUTHENTICATED},
               {403, GCP_PERMISSION_DENIED},   {404, GCP_NOT_FOUND},
               {408, GCP_DEADLINE_EXCEEDED},   {409, GCP_ABORTED},
               {412, GCP_FAILED_PRECONDITION}, {429, GCP_RESOURCE_EXHAUSTED},
               {499, GCP_CANCELLED},           {500, GCP_INTERNAL},
               {501, GCP_UNIMPLEMENTED},       {502, GCP_UNAVAILABLE},
               {503, GCP_UNAVAILABLE},         {504, GCP_DEADLINE_EXCEEDED}};

    if (status >= 200 && status < 300)
        return GCP_OK;
    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
        if (map[i].http == status)
            return map[i].code;
    return status >= 400 && status < 500 ? GCP_INVALID_ARGUMENT : GCP_UNKNOWN;
}

/* Copies text as one line: runs of white space become one blank. Cut before a character that does not fit. */
static void copy_line(char *out, size_t size, const char *text, size_t n)
{
    size_t len = 0, i;
    bool blank = true;

    for (i = 0; i < n && text[i] && len + 1 < size; i++) {
        bool space = isspace((unsigned char)text[i]);

        if (!space)
            out[len++] = text[i];
        else if (!blank)
            out[len++] = ' ';
        blank = space;
    }
    if (i < n && text[i]) {
        while (len && ((unsigned char)out[len - 1] & 0xC0) == 0x80)
            len--;
        if (len && (unsigned char)out[len - 1] >= 0xC0)
            len--;
    }
    if (len && out[len - 1] == ' ')
        len--;
    out[len] = '\0';
}

static void fault_clear(struct gcp_fault *f, int status)
{
    memset(f, 0, sizeof(*f));
    f->http = status;
    f->retry_after_ns = -1;
    f->code = gcp_code_from_http(status);
}

static void read_detail(struct gcp_fault *f, struct json_object *d)
{
    const char *type = gcp_json_str(d, "@type"), *delay;
    const char *text;

    if (!type)
        return;
    if (strstr(type, "ErrorInfo")) {
        if ((text = gcp_json_str(d, "reason")))
            copy_line(f->reason, sizeof(f->reason), text, strlen(text));
        if ((text = gcp_json_str(d, "metadata.service")))
            copy_line(f->service, sizeof(f->service), text, strlen(text));
    } else if (strstr(type, "RetryInfo") && (delay = gcp_json_str(d, "retryDelay"))) {
        if (!gcp_duration_parse(delay, &f->retry_after_ns))
            f->retry_after_ns = -1;
    }
}

/* The message often says only "invalid argument"; the field is named in a BadRequest detail. */
static void add_violation(struct gcp_fault *f, struct json_object *d)
{
    struct json_object *list = gcp_json_array(d, "fieldViolations");
    struct json_object *v =
        list && json_object_array_length(list) ? json_object_array_get_idx(list, 0) : NULL;
    const char *field = gcp_json_str(v, "field"), *text = gcp_json_str(v, "description");
    size_t len = strlen(f->text);
    char line[300];

    if (!text || strstr(f->text, text))
        return;
    copy_line(line, sizeof(line), text, strlen(text));
    (void)snprintf(f->text + len, sizeof(f->text) - len, " (%s%s%s)", field ? field : "", field ? ": " : "",
                   line);
}

static void read_details(struct gcp_fault *f, struct json_object *error)
{
    struct json_object *details = gcp_json_array(error, "details");
    size_t n = details ? json_object_array_length(details) : 0;

    for (size_t i = 0; i < n && i < 32; i++) {
        read_detail(f, json_object_array_get_idx(details, i));
        add_violation(f, json_object_array_get_idx(details, i));
    }
}

/* {"error":"invalid_grant","error_description":"..."} of token endpoints. */
static bool read_oauth(struct gcp_fault *f, struct json_object *o)
{
    const char *name = gcp_json_str(o, "error"), *text = gcp_json_str(o, "error_description");
    const char *subtype = gcp_json_str(o, "error_subtype");
    char line[GCP_FAULT_TEXT_MAX - 160];

    if (!name)
        return false;
    copy_line(f->reason, sizeof(f->reason), name, strlen(name));
    copy_line(line, sizeof(line), text ? text : "", text ? strlen(text) : 0);
    (void)snprintf(f->text, sizeof(f->text), "%s%s%.40s%s%s%s", f->reason, subtype ? " (" : "",
                   subtype ? subtype : "", subtype ? ")" : "", *line ? ": " : "", line);
    return true;
}

static bool read_json(struct gcp_fault *f, struct json_object *o)
{
    struct json_object *error;
    const char *text, *status;

    if (json_object_is_type(o, json_type_array) && json_object_array_length(o))
        o = json_object_array_get_idx(o, 0);
    error = gcp_json_get(o, "error");
    if (!json_object_is_type(error, json_type_object))
        return read_oauth(f, o);
    text = gcp_json_str(error, "message");
    status = gcp_json_str(error, "status");
    if (status && gcp_code_from_name(status) > 0)
        f->code = gcp_code_from_name(status);
    copy_line(f->text, sizeof(f->text), text ? text : "", text ? strlen(text) : 0);
    read_details(f, error);
    return true;
}

/* What a reader of the page would see: the title, or the text without tags. */
static void read_html(struct gcp_fault *f, const char *body, size_t n)
{
    struct gcp_str s = {0};
    const char *skip = NULL, *p = body, *end = body + n;

    f->html = true;
    while (p < end && s.len < GCP_FAULT_TEXT_MAX) {
        if (*p != '<') {
            if (!skip)
                gcp_str_append(&s, p, 1);
            p++;
            continue;
        }
        if (!strncasecmp(p, "<style", 6) || !strncasecmp(p, "<script", 7) || !strncasecmp(p, "<title", 6))
            skip = p;
        else if (!strncasecmp(p, "</", 2))
            skip = NULL;
        gcp_str_append(&s, " ", 1);
        while (p < end && *p != '>')
            p++;
        p += p < end;
    }
    copy_line(f->text, sizeof(f->text), s.failed || !s.data ? "" : s.data, s.failed ? 0 : s.len);
    gcp_str_fini(&s);
}

static bool looks_like_html(const char *body, size_t n)
{
    while (n && isspace((unsigned char)*body)) {
        body++;
        n--;
    }
    return n > 4 &&
           (!strncasecmp(body, "<!do", 4) || !strncasecmp(body, "<htm", 4) || !strncasecmp(body, "<hea", 4));
}

void gcp_fault_from_body(struct gcp_fault *f, int status, const char *body, size_t n)
{
    struct json_object *o;

    fault_clear(f, status);
    if (f->code == GCP_OK)
        return;
    o = gcp_json_parse(body, n);
    if (o && read_json(f, o))
        ;
    else if (n && looks_like_html(body, n))
        read_html(f, body, n);
    else if (n)
        copy_line(f->text, sizeof(f->text), body, n);
    json_object_put(o);
    if (!*f->text)
        (void)snprintf(f->text, sizeof(f->text), "%s", n ? "an answer without a message" : "an empty answer");
}

void gcp_fault_garbled(struct gcp_fault *f, const struct skl_http_response *res)
{
    fault_clear(f, res->status);
    f->code = GCP_UNKNOWN;
    if (res->body_len && looks_like_html(res->body, res->body_len))
        read_html(f, res->body, res->body_len);
    else
        copy_line(f->text, sizeof(f->text), res->body_len ? res->body : "", res->body_len);
    f->html = true;
    if (!*f->text)
        (void)snprintf(f->text, sizeof(f->text), "an empty answer");
}

static int64_t parse_retry_after(const char *value, int64_t wall_now)
{
    char *end;
    long long seconds = strtoll(value, &end, 10);
    int64_t when;

    if (end != value && !*end && seconds >= 0 && seconds < 86400)
        return seconds * GCP_SECOND;
    if (!gcp_http_date_parse(value, &when))
        return -1;
    return when > wall_now ? when - wall_now : 0;
}

void gcp_fault_from_response(struct gcp_fault *f, const struct skl_http_response *res, int64_t wall_now)
{
    bool cut = res->error && res->status >= 200 && res->status < 300; /* a success that nobody can read */
    const char *retry_after;

    if (res->status && !cut) {
        gcp_fault_from_body(f, res->status, res->body, res->body_len);
        retry_after = f->code && res->header ? res->header(res, "Retry-After") : NULL;
        if (retry_after && f->retry_after_ns < 0)
            f->retry_after_ns = parse_retry_after(retry_after, wall_now);
        return;
    }
    fault_clear(f, 0);
    f->no_answer = true;
    f->sent = res->request_sent || cut;
    f->canceled = res->error && res->error->kind == SKL_ERR_CANCELED;
    f->code = res->error && res->error->kind == SKL_ERR_TIMEOUT ? GCP_DEADLINE_EXCEEDED : GCP_UNAVAILABLE;
    (void)snprintf(f->text, sizeof(f->text), "%.*s", GCP_FAULT_TEXT_MAX - 1,
                   res->error ? res->error->message : "no answer");
}

void gcp_fault_from_status(struct gcp_fault *f, struct json_object *status)
{
    const char *text = gcp_json_str(status, "message");
    int64_t code = gcp_json_int(status, "code", GCP_UNKNOWN);

    fault_clear(f, 0);
    f->code = code > 0 && code < CODES ? (int)code
                                       : gcp_code_from_http(code >= 400 && code < 600 ? (int)code : 500);
    copy_line(f->text, sizeof(f->text), text ? text : "", text ? strlen(text) : 0);
    read_details(f, status);
    if (!*f->text)
        (void)snprintf(f->text, sizeof(f->text), "%s", gcp_code_name(f->code));
}
