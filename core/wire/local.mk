# core/wire: formats that both ends of a link share.
noinst_LIBRARIES += libskl_wire.a
wire_sources = core/wire/record.h core/wire/ws.h core/wire/h2.h core/wire/link.h core/wire/pax.h
libskl_wire_a_SOURCES = $(wire_sources)
