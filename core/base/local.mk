# core/base: strings, buffers, time, ids, files, log. No libevent, no JSON.
noinst_LIBRARIES += libskl_base.a
base_sources = core/base/buf.h core/base/clock.h core/base/error.h core/base/fs.h core/base/hash.h \
	core/base/id.h core/base/list.h core/base/log.h core/base/mem.h core/base/str.h
libskl_base_a_SOURCES = $(base_sources)
