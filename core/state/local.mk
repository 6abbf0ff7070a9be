# core/state: the model, its state machine, the store, events, logs.
noinst_LIBRARIES += libskl_state.a
state_sources =
libskl_state_a_SOURCES = $(state_sources)
