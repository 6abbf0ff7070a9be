# simulator: Google's APIs on loopback. All but main.c is a library, for the tests.
noinst_LIBRARIES += libskl_sim.a
sim_sources = simulator/aip.c simulator/aip.h simulator/bundle.c simulator/companions.c simulator/deploy.c simulator/faults.c simulator/faults.h simulator/functions.c simulator/functions_list.c \
	simulator/iam.c simulator/images.c \
	simulator/images.h simulator/import.c simulator/instance.c simulator/invoke.c simulator/invoke.h simulator/layout.c simulator/limits.c \
	simulator/netlink.c simulator/netns.c simulator/netns.h simulator/operations.c simulator/page.c simulator/page.h simulator/parse.c simulator/parse.h \
	simulator/persist.c simulator/privacy.c simulator/process.c simulator/pull.c simulator/pull.h simulator/resource.c simulator/run.c simulator/schema.c simulator/schema.h \
	simulator/schema_functions.c simulator/schema_run.c simulator/sendfile.c simulator/service.c simulator/service.h \
	simulator/storage.c simulator/storage.h simulator/storage_api.c simulator/upgrade.c simulator/upload.c \
	simulator/options.c simulator/recover.c simulator/relay.c simulator/server.c simulator/sim.h \
	simulator/trash.c simulator/unpack.c simulator/validate.c simulator/warden.c
sim_sources += simulator/quota.c simulator/redact.c simulator/logging/bind.c simulator/logging/entry.c simulator/logging/eval.c simulator/logging/filter.h \
	simulator/logging/lexer.c simulator/logging/list.c simulator/logging/logging.h simulator/logging/log_schema.c \
	simulator/logging/logs.c simulator/logging/output.c simulator/logging/parser.c simulator/logging/regex.c simulator/logging/regex.h \
	simulator/logging/regex_run.c simulator/logging/search.c simulator/logging/store.c simulator/logging/write.c
sim_sources += simulator/auth/accounts.c simulator/auth/auth.h simulator/auth/endpoints.c simulator/auth/enforce.c simulator/auth/keys.c \
	simulator/auth/metadata.c simulator/auth/tokens.c
sim_sources += simulator/registry/api.c simulator/registry/artifacts.c simulator/registry/blobs.c simulator/registry/image.c simulator/registry/manifests.c \
	simulator/registry/registry.h simulator/registry/store.c
libskl_sim_a_SOURCES = $(sim_sources)
libskl_sim_a_CPPFLAGS = $(AM_CPPFLAGS) $(PATH_CPPFLAGS)

bin_PROGRAMS += sockerless-gcp-simulator
sockerless_gcp_simulator_SOURCES = simulator/main.c
sockerless_gcp_simulator_CPPFLAGS = $(AM_CPPFLAGS) $(PATH_CPPFLAGS)
sockerless_gcp_simulator_LDADD = libskl_sim.a $(BASE_ARCHIVES) $(DAEMON_LIBS)
EXTRA_DIST += simulator/mkschema.py
