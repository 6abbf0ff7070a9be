"""act runs a workflow: steps, outputs between steps and jobs, env files, a file kept from step to step, a service container, a failing step.

SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def act(workflow, expect):
    shutil.rmtree("repo", ignore_errors=True)
    os.makedirs("repo/.github/workflows")
    shutil.copy(os.path.join(HERE, workflow), "repo/.github/workflows/w.yml")
    git = ["git", "-C", "repo", "-c", "user.email=a@b", "-c", "user.name=n"]
    for args in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *args], check=True, capture_output=True)
    os.makedirs(".config/act", exist_ok=True)
    open(".config/act/actrc", "w").close()
    done = subprocess.run([os.path.abspath("act"), "push", "-P", "ubuntu-latest=busybox", "--pull=false", "--rm", "--container-daemon-socket", "-"], cwd="repo",
                          capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    out = done.stdout + done.stderr
    assert done.returncode == expect, out[-1500:]
    return out


def case(name, test):
    print(("ok - " if test else "not ok - ") + name + ("" if test else ": not in the output"), flush=True)


def main():
    print("version - 0.2.61")
    try:
        out = act("workflow.yml", 0)
        case("env files", "env-works" in out)
        case("outputs between steps, and files that stay", "file says hello" in out)
        case("a step that may fail", "Failed but continue next step" in out)
        case("outputs between jobs", "got hello" in out)
        case("a service container", "Cleaning up services for job one" in out)
        out = act("failing.yml", 1)
        case("a failing step ends the job", "before" in out and "| never" not in out and "exitcode '5'" in out)
    except Exception as e:
        print("not ok - workflow:", repr(str(e))[-800:])
    print("skip - JavaScript actions: the images made here hold no node")


if __name__ == "__main__":
    main()
