/*
 * answer.c - what the answer to an invocation says about the run (declared in run.h).
 *
 * Three may answer: the agent in the function (200 with X-Sockerless-Exit-Code, or JSON {"message"} when it
 * could not run the command), Google's front end (HTML or a line of plain text), and nobody (the connection
 * broke).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/run.h"
#include "gcp/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_CODE_HEADER "X-Sockerless-Exit-Code"
#define EXIT_TIMEOUT     124 /* as timeout(1) */

static bool read_exit_code(const struct skl_http_response *res, int32_t *ret)
{
    const char *text = res->header ? res->header(res, EXIT_CODE_HEADER) : NULL;
    char *end;
    long n;

    if (!text || !*text)
        return false;
    n = strtol(text, &end, 10);
    if (*end || n < 0 || n > 255)
        return false;
    *ret = (int32_t)n;
    return true;
}

/* The agent's {"message":TEXT}, or NULL. */
static struct json_object *agent_answer(const struct skl_http_response *res)
{
    struct json_object *o = gcp_json_parse(res->body, res->body_len);

    if (gcp_json_str(o, "message"))
        return o;
    json_object_put(o);
    return NULL;
}

bool gcf_run_turned_away(const struct skl_http_response *res)
{
    struct json_object *agent;

    if (!res->status)
        return !res->request_sent;
    if (res->status == 409) /* the agent still has a run that an earlier daemon began: it ends when it dials */
        return true;
    if (res->status != 401 && res->status != 403 && res->status != 404 && res->status != 429)
        return false;
    agent = agent_answer(res);
    json_object_put(agent);
    return !agent;
}

static void no_answer(struct skl_run_end *end, char *reason, size_t size, const struct skl_http_response *res)
{
    const char *why = res->error ? res->error->message : "no answer";
    bool timeout = res->error && res->error->kind == SKL_ERR_TIMEOUT;

    end->kind = !res->request_sent ? SKL_END_FAILED : timeout ? SKL_END_TIMEOUT : SKL_END_LOST;
    end->exit_code = end->kind == SKL_END_TIMEOUT ? EXIT_TIMEOUT : 1;
    (void)snprintf(
        reason, size, "%s: %s",
        res->request_sent ? "the connection to the function broke" : "the function can't be reached", why);
}

static const char *front_end_hint(int status)
{
    switch (status) {
    case 401:
    case 403:
        return ". The daemon's account needs roles/run.invoker on the function's service";
    case 404:
        return ". The function is gone, or its ingress setting does not let the daemon in";
    case 429:
        return ". The function has no free instance";
    case 503:
        return ". The function's instance did not start or is overloaded";
    default:
        return "";
    }
}

static void front_end(struct skl_run_end *end, char *reason, size_t size, const struct skl_http_response *res)
{
    struct gcp_fault f;

    gcp_fault_from_body(&f, res->status, res->body, res->body_len);
    if (res->status == 504 || res->status == 408) {
        end->kind = SKL_END_TIMEOUT;
        end->exit_code = EXIT_TIMEOUT;
        (void)snprintf(reason, size, "the function's time limit was reached (HTTP %d: %s)", res->status,
                       f.text);
        return;
    }
    end->kind = SKL_END_FAILED;
    end->exit_code = 1;
    (void)snprintf(reason, size, "the function could not be run (HTTP %d: %s)%s", res->status, f.text,
                   front_end_hint(res->status));
}

static void from_agent(struct skl_run_end *end, char *reason, size_t size, struct json_object *answer)
{
    end->kind = SKL_END_FAILED;
    end->exit_code = 1;
    (void)snprintf(reason, size, "%s", gcp_json_str(answer, "message"));
}

void gcf_run_judge(struct skl_run_end *end, char *reason, size_t size, const struct skl_http_response *res)
{
    bool ok = res->status >= 200 && res->status < 300;
    struct json_object *agent;

    *reason = '\0';
    if (read_exit_code(res, &end->exit_code)) {
        end->kind = SKL_END_EXIT;
        return;
    }
    if (!res->status || (ok && res->error)) {
        no_answer(end, reason, size, res);
        return;
    }
    if (ok) {
        end->kind = SKL_END_EXIT;
        end->exit_code = 0;
        (void)snprintf(reason, size, "the function answered without an exit code");
        return;
    }
    agent = agent_answer(res);
    if (agent)
        from_agent(end, reason, size, agent);
    else
        front_end(end, reason, size, res);
    json_object_put(agent);
}
