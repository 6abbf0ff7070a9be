/*
 * bake.h - an image with the agent in it, made in the registry.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_BAKE_H
#define SKL_GCF_BAKE_H

#include "cloud-run-functions/driver.h"

struct gcf_bake;

/* The layer with the agent, made once per daemon. */
int gcf_layer_make(struct gcf_layer *l, const char *agent_binary, struct skl_error *err);
void gcf_layer_fini(struct gcf_layer *l);

/* err NULL: `image` is HOST/REPO@DIGEST, ready to be run. */
typedef void (*gcf_bake_fn)(void *arg, const struct skl_error *err, const char *image);

/*
 * Adds the agent to `image`. as_root: the container names a user of its own, so the agent must be able to
 * change to it. NULL: err tells at once; no callback.
 */
struct gcf_bake *gcf_bake_start(struct skl_instance *inst, const char *image, bool as_root, gcf_bake_fn fn,
                                void *arg, struct skl_error *err);
void gcf_bake_cancel(struct gcf_bake *b); /* takes NULL; no callback follows */
void gcf_bake_forget_all(struct skl_instance *inst);

/* Where an image is to be fetched from: itself, or Docker Hub's stand-in. Negative: it can't be used. */
int gcf_bake_source(const struct gcf_config *c, const char *image, struct gcp_ref *ret,
                    struct skl_error *err);
/* The configuration with agent and layer; new text. NULL: it is not an image configuration for linux/amd64.
 */
char *gcf_bake_config(const char *config, size_t n, const struct gcf_layer *l, bool as_root,
                      struct skl_error *err);
/* The manifest with another configuration and the layer on top; new text, or NULL. */
char *gcf_bake_manifest(const char *manifest, size_t n, const struct gcf_layer *l, const char *config_digest,
                        size_t config_len, struct skl_error *err);

#endif
