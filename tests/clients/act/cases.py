"""act runs workflows: steps, outputs between steps and jobs, env files, a file kept from step to step, a service container, a failing step, JavaScript and
composite actions, a checkout, a matrix.

SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from casebook import case, main  # noqa: E402

OUT = {}
FILES = {"action.yml": "action/action.yml", "action.js": "action/index.js", "post.js": "action/post.js", "composite.yml": "composite/action.yml"}


def repository(workflow):
    shutil.rmtree("repo", ignore_errors=True)
    for name, place in {workflow: ".github/workflows/w.yml", **FILES}.items():
        os.makedirs(os.path.dirname(os.path.join("repo", place)), exist_ok=True)
        shutil.copy(os.path.join(HERE, name), os.path.join("repo", place))
    with open("repo/file.txt", "w") as f:
        f.write("checked out\n")
    git = ["git", "-C", "repo", "-c", "user.email=a@b", "-c", "user.name=n"]
    for args in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *args], check=True, capture_output=True)


def act(workflow, code, image="busybox"):
    repository(workflow)
    os.makedirs(".config/act", exist_ok=True)
    with open(".config/act/actrc", "w"):
        pass
    done = subprocess.run([os.path.abspath("act"), "push", "-P", f"ubuntu-latest={image}", "--pull=false", "--rm", "--container-daemon-socket", "-"], cwd="repo",
                          capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL)
    out = done.stdout + done.stderr
    assert done.returncode == code, out[-1500:]
    return out


def has(which, *texts):
    for text in texts:
        assert text in OUT[which], (text, OUT[which][-3000:])


@case
def a_workflow_runs():
    OUT["shell"] = act("workflow.yml", 0)


@case
def env_files():
    has("shell", "env-works")


@case
def outputs_between_steps_and_files_that_stay():
    has("shell", "file says hello")


@case
def a_step_that_may_fail():
    has("shell", "Failed but continue next step")


@case
def outputs_between_jobs():
    has("shell", "got hello")


@case
def a_service_container():
    has("shell", "Cleaning up services for job one")


@case
def a_failing_step_ends_the_job():
    OUT["failing"] = act("failing.yml", 1)
    has("failing", "before", "exitcode '5'")
    assert "| never" not in OUT["failing"]


@case
def a_workflow_with_actions_runs():
    OUT["js"] = act("javascript.yml", 0, "node:lts")


@case
def a_checkout():
    has("js", "| checked out")


@case
def a_javascript_action():
    has("js", "action ran in ", "the action said hello someone", "post step has over", "node 18")


@case
def a_composite_action():
    has("js", "composite given")


@case
def a_matrix_and_conditions():
    has("js", "matrix 1 of push", "matrix 2 of push", "only two")
    assert OUT["js"].count("| only two") == 1


if __name__ == "__main__":
    main("0.2.61", {"docker actions": "functions are run, not built"})
