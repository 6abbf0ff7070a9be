# core/wire: formats that both ends of a link share.
noinst_LIBRARIES += libskl_wire.a
wire_sources = core/wire/h2.c core/wire/h2.h core/wire/h2_impl.h core/wire/h2_stream.c core/wire/link.c \
	core/wire/link.h core/wire/pax.h core/wire/pax_entry.c core/wire/pax_impl.h core/wire/pax_read.c \
	core/wire/pax_records.c core/wire/pax_sparse.c core/wire/pax_write.c core/wire/record.c core/wire/record.h core/wire/ws.c core/wire/ws.h \
	core/wire/ws_handshake.c
libskl_wire_a_SOURCES = $(wire_sources)
