# core/state: the model, its state machine, the store, events, logs.
noinst_LIBRARIES += libskl_state.a
state_headers = core/state/container.h core/state/engine.h core/state/events.h core/state/exec.h core/state/image.h \
	core/state/logstore.h core/state/network.h core/state/reference.h core/state/runner.h core/state/volume.h
state_sources = $(state_headers)
libskl_state_a_SOURCES = $(state_sources)
