# core/state: the model, its state machine, the store, events, logs.
noinst_LIBRARIES += libskl_state.a
state_headers = core/state/container.h core/state/engine.h core/state/events.h core/state/exec.h core/state/image.h \
	core/state/logstore.h core/state/network.h core/state/ports.h core/state/reference.h core/state/runner.h core/state/volume.h
state_sources = $(state_headers) core/state/internal.h core/state/ipam.h core/state/log_internal.h core/state/machine.h \
	core/state/store.h \
	core/state/container.c core/state/create.c core/state/derive.c core/state/endpoint.c core/state/engine.c \
	core/state/event_filter.c core/state/events.c core/state/exec.c core/state/health.c core/state/image.c \
	core/state/ipam.c core/state/log.c core/state/log_cursor.c core/state/log_lines.c core/state/machine.c \
	core/state/machine_agent.c core/state/machine_kill.c core/state/machine_ops.c core/state/machine_output.c core/state/machine_row.c core/state/names.c core/state/network.c core/state/ports.c core/state/recover.c core/state/reference.c \
	core/state/removal.c core/state/stdin.c core/state/store.c core/state/text.c core/state/view.c \
	core/state/volume.c core/state/wait.c
libskl_state_a_SOURCES = $(state_sources)
