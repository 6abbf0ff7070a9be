# core/base: strings, buffers, time, ids, files, log. No libevent, no JSON.
noinst_LIBRARIES += libskl_base.a
base_sources = \
	core/base/buf.c core/base/buf.h \
	core/base/clock.c core/base/clock.h core/base/duration.c \
	core/base/error.c core/base/error.h \
	core/base/fs.c core/base/fs.h \
	core/base/hash.c core/base/hash.h \
	core/base/id.c core/base/id.h \
	core/base/list.h \
	core/base/log.c core/base/log.h \
	core/base/mem.c core/base/mem.h core/base/signame.c core/base/signame.h \
	core/base/ring.c core/base/ring.h \
	core/base/str.c core/base/str.h core/base/codec.c
libskl_base_a_SOURCES = $(base_sources)
