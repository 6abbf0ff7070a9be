# tests/e2e: daemon, plugin, simulator and agent together. Needs root and crun, so not part of `make check`:
# scripts/check runs it. One file a line, so that two engineers don't meet in one.
EXTRA_DIST += $(e2e_files)
e2e_files = tests/images/mkbusybox tests/api/conformance.py tests/api/docker-v1.44.yaml
e2e_files += tests/api/gcpspec.py tests/api/mkdiscovery.py
e2e_files += tests/api/google/cloudfunctions.v2.json tests/api/google/iamcredentials.v1.json tests/api/google/logging.v2.json
e2e_files += tests/api/google/run.v2.json tests/api/google/storage.v1.json
e2e_files += tests/e2e/chaos.py
e2e_files += tests/e2e/conftest.py
e2e_files += tests/e2e/dockerapi.py
e2e_files += tests/e2e/gate.py
e2e_files += tests/e2e/gcpapi.py
e2e_files += tests/e2e/many.py
e2e_files += tests/e2e/skl.py
e2e_files += tests/e2e/test_api_cases.py
e2e_files += tests/e2e/test_api_cases_objects.py
e2e_files += tests/e2e/test_bench.py
e2e_files += tests/e2e/test_api_containers.py
e2e_files += tests/e2e/test_api_events.py
e2e_files += tests/e2e/test_api_http.py
e2e_files += tests/e2e/test_api_objects.py
e2e_files += tests/e2e/test_api_params.py
e2e_files += tests/e2e/test_api_streams.py
e2e_files += tests/e2e/test_api_wait.py
e2e_files += tests/e2e/test_agent_alone.py
e2e_files += tests/e2e/test_archive.py
e2e_files += tests/e2e/drivers.py
e2e_files += tests/e2e/test_install.py
e2e_files += tests/e2e/test_packages.py
e2e_files += tests/e2e/test_plugin_abi.py
e2e_files += tests/e2e/test_plugin_faults.py
e2e_files += tests/e2e/test_plugin_guide.py
e2e_files += tests/e2e/test_plugin_loader.py
e2e_files += tests/e2e/test_plugin_null.py
e2e_files += tests/e2e/test_plugin_services.py
e2e_files += tests/e2e/test_link.py
e2e_files += tests/e2e/test_systemd.py
e2e_files += tests/e2e/test_transcripts.py tests/transcripts/README.md \
	tests/transcripts/container.txt tests/transcripts/cp.txt tests/transcripts/events.txt tests/transcripts/exec.txt \
	tests/transcripts/image.txt tests/transcripts/logs.txt tests/transcripts/network.txt tests/transcripts/run.txt \
	tests/transcripts/system.txt tests/transcripts/volume.txt
e2e_files += tests/e2e/test_volumes_follow.py
e2e_files += tests/e2e/test_recovery.py
e2e_files += tests/e2e/test_registry.py
e2e_files += tests/e2e/test_runner_gitlab.py
e2e_files += tests/e2e/test_server.py
e2e_files += tests/e2e/test_sim_conformance.py
e2e_files += tests/e2e/test_sim_crash.py
e2e_files += tests/e2e/test_sim_faults.py
e2e_files += tests/e2e/test_sim_logging.py
e2e_files += tests/e2e/test_sim_many.py
e2e_files += tests/e2e/test_sim_network.py
e2e_files += tests/e2e/test_sim_relay.py
e2e_files += tests/e2e/test_skeleton.py
e2e_files += tests/e2e/test_state_crash.py
e2e_files += tests/e2e/test_state_disk.py
e2e_files += tests/e2e/test_state_links.py
e2e_files += tests/e2e/test_state_logs.py
e2e_files += tests/e2e/test_state_many.py
e2e_files += tests/e2e/test_state_policies.py
e2e_files += tests/e2e/test_state_races.py
include tests/e2e/gcf/local.mk
e2e_files += tests/e2e/simgoogle.py
e2e_files += tests/e2e/test_sim_functions.py
e2e_files += tests/e2e/test_sim_run.py
e2e_files += tests/e2e/test_sim_auth.py
e2e_files += tests/e2e/test_sim_registry.py
