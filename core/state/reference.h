/*
 * state/reference.h - image references: "alpine", "ghcr.io/x/y:1", "docker.io/library/x@sha256:...".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_REFERENCE_H
#define SKL_STATE_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

#define REFERENCE_MAX 1024u      /* bytes of a whole reference */
#define REFERENCE_NAME_MAX 255u  /* of the repository's name */
#define REFERENCE_TAG_MAX 128u

/* Normalised. All strings are this struct's own. */
struct reference {
    char *domain;     /* "docker.io" */
    char *path;       /* "library/alpine" */
    char *tag;        /* NULL: none given */
    char *digest;     /* "sha256:<64 hex>"; NULL: none given */
};

/* INVALID `invalid reference format`, `... repository name (x) must be lowercase`. A bare 64-hex string is no
 * reference (it is an ID). */
int reference_parse(const char *s, struct reference *ret, struct skl_error *err);
void reference_fini(struct reference *r);
/* No tag and no digest: tag "latest". */
void reference_default_tag(struct reference *r);
/* The caller frees what these return. */
char *reference_full(const struct reference *r);     /* docker.io/library/alpine:latest */
char *reference_familiar(const struct reference *r); /* alpine:latest */
char *reference_repo(const struct reference *r);     /* docker.io/library/alpine */
char *reference_familiar_repo(const struct reference *r); /* alpine */
/* "alpine" -> "docker.io/library/alpine:latest" in one step; NULL with err. */
char *reference_normalise(const char *s, struct skl_error *err);

#endif
