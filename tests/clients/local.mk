# tests/clients: real clients, a folder each. Run by scripts/check (those from Debian) and scripts/check-clients.
EXTRA_DIST += tests/clients/run.py tests/clients/casebook.py tests/clients/images.py tests/clients/gobuild tests/clients/gocases
EXTRA_DIST += tests/clients/compose-1/client.json tests/clients/compose-1/cases.py tests/clients/compose-1/docker-compose.yml \
	tests/clients/compose-1/web.env tests/clients/compose-1/waits.yml tests/clients/compose-1/sick.yml
EXTRA_DIST += tests/clients/docker-cli/client.json tests/clients/docker-cli/cases.py tests/clients/docker-cli/cli.py tests/clients/docker-cli/terminal.py
EXTRA_DIST += tests/clients/docker-cli-20/client.json tests/clients/docker-cli-20/run
EXTRA_DIST += tests/clients/docker-cli-29/client.json tests/clients/docker-cli-29/run
EXTRA_DIST += tests/clients/docker-py/client.json tests/clients/docker-py/cases.py tests/clients/docker-py/house.py tests/clients/docker-py/create.py
EXTRA_DIST += tests/clients/docker-py/streams.py tests/clients/docker-py/lifecycle.py tests/clients/docker-py/objects.py
EXTRA_DIST += tests/clients/docker-py-newest/client.json
EXTRA_DIST += tests/clients/dockerode/client.json tests/clients/dockerode/cases.js
EXTRA_DIST += tests/clients/testcontainers-node/client.json tests/clients/testcontainers-node/cases.js
EXTRA_DIST += tests/clients/testcontainers-python/client.json tests/clients/testcontainers-python/cases.py
EXTRA_DIST += tests/clients/compose-2/client.json tests/clients/compose-5/client.json
EXTRA_DIST += tests/clients/act/client.json tests/clients/act/cases.py tests/clients/act/workflow.yml tests/clients/act/failing.yml \
	tests/clients/act/javascript.yml tests/clients/act/action.yml tests/clients/act/action.js tests/clients/act/post.js tests/clients/act/composite.yml
EXTRA_DIST += tests/clients/gitlab-ci-local/client.json tests/clients/gitlab-ci-local/cases.py \
	tests/clients/gitlab-ci-local/gitlab-ci.yml tests/clients/gitlab-ci-local/failing.yml
EXTRA_DIST += tests/clients/gitlab-runner/client.json
EXTRA_DIST += tests/clients/go-sdk/client.json tests/clients/go-sdk/cases.go tests/clients/go-sdk/modules
EXTRA_DIST += tests/clients/testcontainers-go/client.json tests/clients/testcontainers-go/cases.go tests/clients/testcontainers-go/modules
EXTRA_DIST += tests/clients/services/client.json tests/clients/services/cases.py
EXTRA_DIST += tests/images/mkdebian tests/images/postgres-entrypoint

# Google's own clients, against the simulator alone
EXTRA_DIST += tests/clients/gcp/casebook.js
EXTRA_DIST += tests/clients/gcp/gcloud/client.json tests/clients/gcp/gcloud/cases.py
EXTRA_DIST += tests/clients/gcp/go-api/client.json tests/clients/gcp/go-api/cases.go tests/clients/gcp/go-api/modules
EXTRA_DIST += tests/clients/gcp/go-functions/client.json tests/clients/gcp/go-functions/cases.go tests/clients/gcp/go-functions/modules
EXTRA_DIST += tests/clients/gcp/googleapi/client.json tests/clients/gcp/googleapi/cases.py
EXTRA_DIST += tests/clients/gcp/node-functions/client.json tests/clients/gcp/node-functions/cases.js
EXTRA_DIST += tests/clients/gcp/node-logging/client.json tests/clients/gcp/node-logging/cases.js
EXTRA_DIST += tests/clients/gcp/node-run/client.json tests/clients/gcp/node-run/cases.js
EXTRA_DIST += tests/clients/gcp/node-functions-newest/client.json tests/clients/gcp/node-logging-newest/client.json tests/clients/gcp/node-run-newest/client.json
EXTRA_DIST += tests/clients/gcp/python-logging/client.json tests/clients/gcp/python-logging/cases.py
