"""gitlab-ci-local runs pipelines: the repository's files, artifacts, dotenv reports, caches, images, a matrix, failures. It copies files in and out
with `docker cp` and shares them by volumes. The daemon keeps /artifacts and /cache of ended containers (agent.capture-paths): that is where it looks.

SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from casebook import case, main  # noqa: E402

PROGRAM = os.path.abspath("node_modules/.bin/gitlab-ci-local")
OUT = {}


def repository(pipeline):
    shutil.rmtree("repo", ignore_errors=True)
    os.makedirs("repo")
    shutil.copy(os.path.join(HERE, pipeline), "repo/.gitlab-ci.yml")
    with open("repo/file.txt", "w") as f:
        f.write("a file of the repository\n")
    with open("repo/script.sh", "w") as f:
        f.write("#!/bin/sh\necho a script of the repository\n")
    os.chmod("repo/script.sh", 0o755)
    git = ["git", "-C", "repo", "-c", "user.email=a@b", "-c", "user.name=n"]
    for args in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"], ["remote", "add", "origin", "git@example.com:group/project.git"]):
        subprocess.run([*git, *args], check=True, capture_output=True)


def run(*args, code=0):
    done = subprocess.run([PROGRAM, "--no-color", *args], cwd="repo", capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL,
                          env=dict(os.environ, NO_COLOR="1", FORCE_COLOR="0"))
    out = done.stdout + done.stderr
    assert done.returncode == code, (args, done.returncode, out[-1500:])
    return out


def has(*lines):
    for line in lines:
        assert line in OUT["all"], (line, OUT["all"][-3000:])


@case
def a_pipeline_runs():
    repository("gitlab-ci.yml")
    OUT["all"] = run()


@case
def the_repository_s_files_are_there():
    has("> a file of the repository", "> a script of the repository", "/builds/group/project")


@case
def variables_before_and_after():
    has("> from the top, in the job", "> before", "> after produce")


@case
def artifacts_reach_the_next_stage_and_the_host():
    has("> product")
    with open("repo/.gitlab-ci-local/artifacts/produce/out/deep/file") as f:
        assert f.read() == "product\n"


@case
def dotenv_reports_become_variables():
    has("> dotenv says env")


@case
def another_image():
    has("> bash 5")


@case
def a_matrix():
    has("> matrix one", "> matrix two")


@case
def what_may_fail_fails_alone():
    has("> failing")


@case
def rules_leave_jobs_out():
    assert "> never" not in OUT["all"]


@case
def a_cache_is_warm_the_second_time():
    assert "> cold" in OUT["all"] and "> warm" in run("cached")


@case
def a_failing_job_is_a_failing_pipeline():
    repository("failing.yml")
    out = run(code=1)
    assert "> before" in out and "> never" not in out, out


@case
def one_job_by_name():
    repository("gitlab-ci.yml")
    out = run("sources")
    assert "> a file of the repository" in out and "> product" not in out


@case
def nothing_is_left():
    for what in ("ps -aq", "volume ls -q", "network ls -q --filter type=custom"):
        assert subprocess.run(["docker", *what.split()], capture_output=True, text=True, check=True).stdout == "", what


if __name__ == "__main__":
    main("4.60.0", {"services": "each container is a function of its own: a job does not reach a service's port"})
