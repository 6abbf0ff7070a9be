# core/wire: formats that both ends of a link share.
noinst_LIBRARIES += libskl_wire.a
wire_sources = core/wire/record.h
libskl_wire_a_SOURCES = $(wire_sources)
