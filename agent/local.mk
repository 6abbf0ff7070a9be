# agent: the static program inside each function. All but main.c is also a library, for the tests.
agent_sources = agent/agent.c agent/agent.h agent/alone.c agent/archive.c agent/archive.h agent/config.c agent/dial.c \
	agent/events.c agent/extract.c agent/extract.h agent/feed.c agent/glob.c agent/hosts.c agent/hosts.h agent/inspect.c agent/inspect.h agent/invoke.c agent/oom.c agent/outlog.c agent/process.c \
	agent/reap.c agent/request.h agent/serve.c agent/spawn.c agent/spec.c agent/tls.c agent/tls.h \
	agent/tunnel.c agent/tunnel.h agent/url.c agent/url.h agent/users.c agent/walk.c agent/walk.h
noinst_LIBRARIES += libskl_agent.a
libskl_agent_a_SOURCES = $(agent_sources)

pkglibexec_PROGRAMS += sockerless-agent
AGENT_ARCHIVES = libskl_agent.a $(BASE_ARCHIVES)

if INSTRUMENTED
# Sanitizers and gcov can't go into a static program. The agent and what it uses of the core are compiled a
# second time without them; tests/agent-checked is the instrumented (dynamic) twin for tests on the host.
noinst_LIBRARIES += libskl_plain.a
libskl_plain_a_SOURCES = $(agent_sources) $(http_sources) $(wire_sources) $(loop_sources) $(json_sources) \
	$(base_sources)
libskl_plain_a_CFLAGS = $(SKL_CFLAGS)
AGENT_LINK = libskl_plain.a
if LLHTTP_FROM_SOURCE
noinst_LIBRARIES += libskl_plain_llhttp.a
nodist_libskl_plain_llhttp_a_SOURCES = $(llhttp_units)
libskl_plain_llhttp_a_CFLAGS = $(SKL_CFLAGS) -w
AGENT_LINK += libskl_plain_llhttp.a
endif
noinst_PROGRAMS += tests/agent-checked
tests_agent_checked_SOURCES = agent/main.c
tests_agent_checked_LDADD = $(AGENT_ARCHIVES) $(DAEMON_LIBS)
else
AGENT_LINK = $(AGENT_ARCHIVES)
endif

sockerless_agent_SOURCES = agent/main.c
sockerless_agent_CFLAGS = $(SKL_CFLAGS)
sockerless_agent_LDFLAGS = -static
sockerless_agent_LDADD = $(AGENT_LINK) $(LLHTTP_LIBS) $(AGENT_LIBS)
