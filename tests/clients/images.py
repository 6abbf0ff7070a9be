"""Images for clients, in the simulator's store: busybox under other names, and those that tests/images/mkdebian makes (kept in the work directory).

SPDX-License-Identifier: Apache-2.0
"""
import os
import subprocess
import tempfile

import skl

MAKERS = os.path.join(skl.TOP, "tests", "images")
DEBIAN = ("debian", "python", "node", "redis", "nginx", "postgres", "tools")
MAKE_TIMEOUT = 1800


def listed(store):
    out = subprocess.run([skl.program("sockerless-gcp-simulator"), "image", "list"], env=dict(os.environ, SOCKERLESS_IMAGES_DIR=store), check=True,
                         capture_output=True, text=True).stdout
    return {name.removeprefix("docker.io/").removeprefix("library/") for name in out.split()}


def import_busybox(store, name):
    with tempfile.TemporaryDirectory() as tmp:
        layout = os.path.join(tmp, "layout")
        subprocess.run([os.path.join(MAKERS, "mkbusybox"), layout], check=True)
        skl.import_image(store, name, layout)


def import_debian(store, name, image, work):
    made = os.path.join(work, "debian-images")
    done = subprocess.run([os.path.join(MAKERS, "mkdebian"), made, image], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=MAKE_TIMEOUT)
    if done.returncode != 0:
        return f"the image {image} could not be made: " + (done.stdout.strip().splitlines() or ["?"])[-1][:150]
    with open(os.path.join(made, image + ".options")) as f:
        skl.import_image(store, name, os.path.join(made, image + ".tar"), *f.read().splitlines())
    return None


def give(wanted, store, work):
    """wanted: {name with tag: "busybox" or one of DEBIAN}. None, or why it can't be."""
    there = listed(store)
    for name, image in wanted.items():
        if name.removeprefix("docker.io/").removeprefix("library/") in there:
            continue
        if image == "busybox":
            import_busybox(store, name)
        elif (why := import_debian(store, name, image, work)) is not None:
            return why
    return None
