"""docker cp, export: reference 2.14; cases on archives. Through the API with tars of Python's, and through the CLI.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import bz2
import gzip
import io
import json
import lzma
import os
import stat
import subprocess
import tarfile
import urllib.parse

import pytest

DIR = 1 << 31
LINK = 1 << 27


def tar_of(*members, fmt=tarfile.PAX_FORMAT, close=True):
    """members: (name, content | dict of TarInfo fields)."""
    out = io.BytesIO()
    t = tarfile.open(fileobj=out, mode="w", format=fmt)
    for name, what in members:
        info = tarfile.TarInfo(name)
        info.mode, info.mtime = 0o644, 1577934245
        data = None
        if isinstance(what, bytes):
            info.size, data = len(what), io.BytesIO(what)
        else:
            for key, value in what.items():
                setattr(info, key, value)
        t.addfile(info, data)
    if close:
        t.close()
    return out.getvalue()


def put(api, cid, path, data, **query):
    query["path"] = path
    return api.put(f"/containers/{cid}/archive?" + urllib.parse.urlencode(query), data, headers={"Content-Type": "application/x-tar"})


def get(api, cid, path):
    a = api.get(f"/containers/{cid}/archive?path=" + urllib.parse.quote(path, safe=""))
    if a.status != 200:
        return a
    assert a["content-type"] == "application/x-tar"
    return tarfile.open(fileobj=io.BytesIO(a.body))


def files(tar):
    return {m.name: m for m in tar.getmembers()}


def stat_of(api, cid, path):
    a = api.head(f"/containers/{cid}/archive?path=" + urllib.parse.quote(path, safe=""))
    return json.loads(base64.b64decode(a["x-docker-container-path-stat"])) if a.status == 200 else a.status


def sh(api, cid, script):
    eid = api.post(f"/containers/{cid}/exec", {"Cmd": ["sh", "-c", script], "AttachStdout": True, "AttachStderr": True}).json["Id"]
    c = api.hijack("POST", f"/exec/{eid}/start", {})
    return b"".join(data for _, data in c.frames()).decode()


@pytest.fixture(scope="module")
def box(daemon):
    cid = daemon.api.create(Cmd=["tail", "-f", "/dev/null"])
    daemon.api.start(cid)
    yield cid
    daemon.api.remove(cid)


@pytest.fixture
def where(api, box):
    path = "/tmp/" + os.urandom(4).hex()
    sh(api, box, f"mkdir {path}")
    return path


# ---- a tree, both ways ----
TREE = [
    ("tree/", {"type": tarfile.DIRTYPE, "mode": 0o750, "uid": 7, "gid": 8}),
    ("tree/empty", b""),
    ("tree/block", b"x" * 512),
    ("tree/odd", b"y" * 513),
    ("tree/binary", bytes(range(256)) * 300),
    ("tree/\u00fcml\u00e4ut \u65e5\u672c", b"unicode"),
    ("tree/" + "n" * 120, b"long name"),
    ("tree/" + "/".join(["d" * 60] * 5) + "/deep", b"deep"),
    ("tree/run.sh", {"mode": 0o6755, "size": 0}),
    ("tree/link", {"type": tarfile.SYMTYPE, "linkname": "binary"}),
    ("tree/dangling", {"type": tarfile.SYMTYPE, "linkname": "/no/such/" + "t" * 150}),
    ("tree/hard", {"type": tarfile.LNKTYPE, "linkname": "tree/odd"}),
    ("tree/fifo", {"type": tarfile.FIFOTYPE, "mode": 0o600}),
    ("tree/sub/", {"type": tarfile.DIRTYPE, "mode": 0o1777, "mtime": 1234567890}),
    ("tree/owned", {"uid": 2097153, "gid": 65534, "size": 0}),
    ("tree/time", {"mtime": 1577934245.123456789, "size": 0}),
]


@pytest.mark.parametrize("fmt", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_tree_both_ways(api, box, where, fmt):
    data = tar_of(*TREE, fmt=fmt)
    a = put(api, box, where, data)
    assert a.status == 200 and a.body == b""
    sent, back = files(tarfile.open(fileobj=io.BytesIO(data))), files(get(api, box, where + "/tree"))
    for name, m in sent.items():
        b = back[name]
        if m.type == tarfile.LNKTYPE or b.type == tarfile.LNKTYPE:  # either name may be the first
            continue
        assert (b.type, b.linkname, b.size) == (m.type, m.linkname, m.size), name
        assert (b.uid, b.gid) == (m.uid, m.gid), name
        assert m.issym() or b.mode == m.mode, name
        if not m.isdir() or name.endswith("sub"):
            assert int(b.mtime) == int(m.mtime), name
    hard = {n for n in ("tree/odd", "tree/hard") if back[n].type == tarfile.LNKTYPE}
    assert len(hard) == 1
    tar = get(api, box, where + "/tree")
    for name, content in TREE:
        if isinstance(content, bytes):
            assert tar.extractfile(name).read() == content, name


def test_fractions_of_times_survive(api, box, where):
    put(api, box, where, tar_of(("t", {"mtime": 1577934245.25, "size": 0})))
    assert files(get(api, box, where + "/t"))["t"].mtime == 1577934245.25


def test_many_small_files(api, box, where):
    names = [f"many/{i % 50}/{i}" for i in range(10_000)]
    assert put(api, box, where, tar_of(*[(n, n.encode()) for n in names])).status == 200
    tar = get(api, box, where + "/many")
    back = files(tar)
    assert all(tar.extractfile(n).read() == n.encode() for n in names) and len(back) == 10_000 + 51


def test_large_file_is_exact(api, box, where):
    data = os.urandom(1 << 20) * 33 + b"x"
    assert put(api, box, where, tar_of(("big", data))).status == 200
    assert get(api, box, where + "/big").extractfile("big").read() == data


@pytest.mark.parametrize("form", ["gnu", "0.0", "0.1", "1.0"])
def test_sparse_files(api, box, where, form, tmp_path):
    with open(tmp_path / "holes", "wb") as f:
        for at in (0, 1 << 20, 5 << 20):
            f.seek(at)
            f.write(b"data at %d" % at)
        f.truncate(8 << 20)
    options = ["--format=gnu"] if form == "gnu" else ["--format=pax", f"--sparse-version={form}"]
    subprocess.run(["tar", "-C", tmp_path, "-S", *options, "-cf", tmp_path / "t.tar", "holes"], check=True)
    archive = (tmp_path / "t.tar").read_bytes()
    assert len(archive) < 1 << 20
    assert put(api, box, where, archive).status == 200
    with open(tmp_path / "holes", "rb") as f:
        assert get(api, box, where + "/holes").extractfile("holes").read() == f.read()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress,
                                  lambda d: subprocess.run(["zstd", "-q"], input=d, capture_output=True, check=True).stdout])
def test_compressed(api, box, where, pack):
    assert put(api, box, where, pack(tar_of(("c", b"content" * 1000)))).status == 200
    assert sh(api, box, f"wc -c < {where}/c") == "7000\n"


# ---- paths ----
def test_stat(api, box, where):
    sh(api, box, f"cd {where}; mkdir d; chmod 1755 d; echo hello > f; chmod 4640 f; ln -s d/x l; mkfifo p")
    s = stat_of(api, box, where + "/f")
    assert (s["name"], s["size"], s["mode"], s["linkTarget"]) == ("f", 6, 0o640 | 1 << 23, "") and s["mtime"].endswith("Z")
    assert stat_of(api, box, where + "/d")["mode"] == DIR | 0o755 | 1 << 20
    s = stat_of(api, box, where + "/l")
    assert s["mode"] & LINK and s["linkTarget"] == where + "/d/x"
    assert stat_of(api, box, where + "/p")["mode"] & 1 << 25
    assert stat_of(api, box, "/dev/null")["mode"] & (1 << 26 | 1 << 21) == 1 << 26 | 1 << 21
    assert stat_of(api, box, where + "/d/../f")["name"] == "f" and stat_of(api, box, "/")["name"] == "/"
    assert stat_of(api, box, where + "/nope") == 404
    assert stat_of(api, box, where[1:] + "/f")["name"] == "f"  # relative to the root


def test_names_by_the_path_asked(api, box, where):
    sh(api, box, f"cd {where}; mkdir -p d/e; echo x > d/e/f; ln -s d dl; ln -s d/e/f fl")
    assert set(files(get(api, box, where + "/d"))) == {"d", "d/e", "d/e/f"}
    assert set(files(get(api, box, where + "/d/."))) == {".", "./e", "./e/f"}
    assert set(files(get(api, box, where + "/d/e/f"))) == {"f"}
    link = files(get(api, box, where + "/dl"))
    assert set(link) == {"dl"} and link["dl"].issym()
    assert set(files(get(api, box, where + "/dl/"))) == {"dl", "dl/e", "dl/e/f"}
    assert files(get(api, box, where + "/fl"))["fl"].linkname == "d/e/f"
    assert set(files(get(api, box, where + "/dl/e"))) == {"e", "e/f"}  # links on the way are followed


def test_not_there(api, box, where):
    a = get(api, box, where + "/nope")
    assert a.status == 404 and a.message == f"Could not find the file {where}/nope in container {box}"
    a = put(api, box, where + "/nope", tar_of(("x", b"")))
    assert a.status == 404 and a.message == f"Could not find the file {where}/nope in container {box}"
    sh(api, box, f"echo > {where}/f")
    a = put(api, box, where + "/f", tar_of(("x", b"")))
    assert a.status == 400 and a.message == "extraction point is not a directory"
    a = get(api, box, where + "/f/")
    assert a.status >= 400 and "not a directory" in a.message
    assert api.get(f"/containers/{box}/archive?path=").status == 400
    assert api.get("/containers/nosuch/archive?path=/").status == 404
    assert put(api, "nosuch", "/", tar_of(("x", b""))).status == 404


def test_the_body_is_not_read_before_the_path_is_checked(api, box):
    c = api.connect()
    c.send(api.request_bytes("PUT", f"/containers/{box}/archive?path=/nope", None,
                             {"Transfer-Encoding": "chunked", "Content-Length": None, "Expect": "100-continue"}))
    assert c.head()[0] == 404


def test_no_overwrite(api, box, where):
    sh(api, box, f"cd {where}; mkdir -p d/keep; echo > f")
    for name, what, text in (("d", b"file", "cannot overwrite directory"),
                             ("f", {"type": tarfile.DIRTYPE}, "cannot overwrite non-directory")):
        a = put(api, box, where, tar_of((name, what)), noOverwriteDirNonDir="true")
        assert a.status == 400 and text in a.message
    assert put(api, box, where, tar_of(("d", b"file"), ("f", {"type": tarfile.DIRTYPE}))).status == 200
    assert sh(api, box, f"cd {where}; test -f d && test -d f && echo swapped") == "swapped\n"


def test_a_directory_keeps_what_it_holds(api, box, where):
    sh(api, box, f"mkdir {where}/d; echo old > {where}/d/old")
    put(api, box, where, tar_of(("d", {"type": tarfile.DIRTYPE, "mode": 0o700}), ("d/new", b"new")))
    assert sh(api, box, f"ls {where}/d; stat -c %a {where}/d") == "new\nold\n700\n"


def test_copy_uid_gid(api):
    cid = api.create(Cmd=["sleep", "1000"], User="nobody:100")
    api.start(cid)
    put(api, cid, "/tmp", tar_of(("mine", {"uid": 5, "gid": 6}), ("d/x", b"")), copyUIDGID="true")
    assert sh(api, cid, "stat -c %u:%g /tmp/mine /tmp/d/x") == "65534:100\n65534:100\n"
    api.remove(cid)


# ---- hostile tars ----
@pytest.mark.parametrize("name", ["../out", "a/../../out", "/../../out", "a/b/../../../out"])
def test_nothing_leaves_the_directory(api, box, where, name):
    a = put(api, box, where, tar_of((name, b"x")))
    assert a.status == 400 and "is outside of" in a.message
    assert sh(api, box, "ls /tmp/out 2>&1; ls /out 2>&1").count("No such file") == 2


def test_a_hard_link_out_of_the_directory(api, box, where):
    a = put(api, box, where, tar_of(("h", {"type": tarfile.LNKTYPE, "linkname": "../../etc/passwd"})))
    assert a.status == 400


def test_absolute_names_are_below_the_directory(api, box, where):
    """act sends /var/run/act/ to path=/; parents are made."""
    assert put(api, box, where, tar_of(("/var/run/act/", {"type": tarfile.DIRTYPE, "mode": 0o755}), ("/var/run/act/f", b"x"))).status == 200
    assert sh(api, box, f"find {where} | sort | tail -1") == f"{where}/var/run/act/f\n"


@pytest.mark.parametrize("bad", [
    b"garbage" * 200, tar_of(("x", b"y" * 5000))[:3000], b"\0" * 100, tar_of(("x", b"")).replace(b"ustar", b"rusty"),
    tar_of(("x", {"type": b"Q"})),
])
def test_what_is_no_tar(api, box, where, bad):
    assert put(api, box, where, bad).status == 400
    assert sh(api, box, "echo alive") == "alive\n"


def test_an_empty_body(api, box, where):
    assert put(api, box, where, b"").status == 200


# ---- containers that do not run ----
def test_into_a_created_container(api):
    """GitLab's runner and Testcontainers put files before the start."""
    cid = api.create(Cmd=["sh", "-c", "cat /etc/conf.d/a /b; stat -c %a /etc/conf.d/a"])
    assert put(api, cid, "/", tar_of(("etc/conf.d/a", {"mode": 0o600, "size": 0}))).status == 200
    assert put(api, cid, "/etc/conf.d", tar_of(("a", b"first "))).status == 200
    assert put(api, cid, "/", tar_of(("b", b"second "))).status == 200
    assert get(api, cid, "/b").extractfile("b").read() == b"second "
    assert stat_of(api, cid, "/etc/conf.d/a")["size"] == 6 and stat_of(api, cid, "/nope") == 404
    c = api.hijack("POST", f"/containers/{cid}/attach?stream=1&stdout=1&stderr=1")
    api.start(cid)
    assert b"".join(d for _, d in c.frames()) == b"first second 644\n"
    assert get(api, cid, "/b").extractfile("b").read() == b"second "  # after the exit as well
    a = get(api, cid, "/etc/passwd")
    assert a.status == 404 and "its files went with the function" in a.message
    api.remove(cid)


def test_a_directory_named_as_such_in_a_created_container(api, docker, tmp_path):
    """`docker cp f c:/tmp/`: nobody can look into the image, but the slash says what it is, and it is made if it is missing."""
    (tmp_path / "f").write_text("content")
    cid = api.create(Cmd=["cat", "/tmp/f", "/srv/new/f"])
    for path in ("/tmp/", "/srv/new/", "/"):
        assert stat_of(api, cid, path)["mode"] & DIR
        docker("cp", str(tmp_path / "f"), f"{cid}:{path}", check=True)
    assert docker("start", "-a", cid, check=True).stdout == "contentcontent"
    api.remove(cid)


# ---- the CLI ----
def test_cli_both_ways(docker, box, tmp_path):
    src = tmp_path / "src"
    (src / "sub").mkdir(parents=True)
    (src / "a").write_text("a\n")
    (src / "sub" / "b").write_bytes(os.urandom(70_000))
    (src / "l").symlink_to("sub/b")
    os.chmod(src / "a", 0o755)
    docker("cp", str(src), f"{box}:/tmp/", check=True)
    docker("cp", f"{box}:/tmp/src", str(tmp_path / "back"), check=True)
    assert subprocess.run(["diff", "-r", str(src), str(tmp_path / "back")]).returncode == 0
    assert stat.S_IMODE(os.stat(tmp_path / "back" / "a").st_mode) == 0o755 and os.readlink(tmp_path / "back" / "l") == "sub/b"
    docker("cp", str(src) + "/.", f"{box}:/srv", check=True)
    docker("cp", f"{box}:/srv/.", str(tmp_path / "dots"), check=True)
    assert subprocess.run(["diff", "-r", str(src), str(tmp_path / "dots")]).returncode == 0
    docker("cp", f"{box}:/tmp/src/a", str(tmp_path / "renamed"), check=True)
    assert (tmp_path / "renamed").read_text() == "a\n"
    done = docker("cp", f"{box}:/nosuch", str(tmp_path))
    assert done.returncode == 1 and f"Could not find the file /nosuch in container {box}" in done.stderr


def test_events(api, box, where):
    from test_api_events import Watch
    w = Watch(api, container=[box])
    put(api, box, where, tar_of(("x", b"")))
    get(api, box, where)
    api.get(f"/containers/{box}/export")
    assert [e["Action"] for e in w.until("export")] == ["extract-to-dir", "archive-path", "export"]


def test_export(api, box):
    a = api.get(f"/containers/{box}/export")
    assert a.status == 200
    names = {n.rstrip("/") for n in files(tarfile.open(fileobj=io.BytesIO(a.body)))}
    assert {"bin/busybox", "etc/passwd", "tmp", "proc"} <= names
    assert not [n for n in names if n.startswith(("proc/", "sys/", ".sockerless"))]


def test_changes_are_not_known(api, box):
    a = api.get(f"/containers/{box}/changes")
    assert a.status == 501 and "keeps no record" in a.message
