# drivers: the exec driver chain.
noinst_LIBRARIES += libskl_drivers.a
drivers_sources = drivers/archive.c drivers/archive.h drivers/call.c drivers/capture.c drivers/chain.c drivers/chain.h \
	drivers/conn.c drivers/download.c drivers/exec.c drivers/exec_stream.h drivers/input.c \
	drivers/internal.h drivers/output.c drivers/peer.c drivers/probe.c drivers/proc.c drivers/publish.c \
	drivers/staging-internal.h drivers/staging.c drivers/staging.h \
	drivers/staging_exit.c drivers/staging_view.c drivers/start.c drivers/start.h drivers/synthetic.c drivers/tunnel.c drivers/tunnel.h drivers/upload.c drivers/volumes.c
libskl_drivers_a_SOURCES = $(drivers_sources)
