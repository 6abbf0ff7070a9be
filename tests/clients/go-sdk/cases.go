// The Docker SDK for Go: its client's interface, walked through. What the docker CLI, compose and most runners are made of.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/docker/docker/errdefs"
	"github.com/docker/docker/pkg/stdcopy"
)

var ctx, cancel = context.WithTimeout(context.Background(), 4*time.Minute)
var cli *client.Client

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func want(ok bool, what string, args ...any) {
	if !ok {
		panic(fmt.Errorf(what, args...))
	}
}

func create(config container.Config, host *container.HostConfig) string {
	config.Image = "busybox"
	c, err := cli.ContainerCreate(ctx, &config, host, nil, nil, "")
	must(err)
	return c.ID
}

func start(cmd ...string) string {
	id := create(container.Config{Cmd: cmd}, nil)
	must(cli.ContainerStart(ctx, id, container.StartOptions{}))
	return id
}

func remove(id string) { must(cli.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})) }

func wait(id string, condition container.WaitCondition) int64 {
	ok, bad := cli.ContainerWait(ctx, id, condition)
	select {
	case r := <-ok:
		return r.StatusCode
	case err := <-bad:
		panic(err)
	}
}

var cases = []struct {
	name string
	fn   func()
}{
	{"ping, version, info", func() {
		p, err := cli.Ping(ctx)
		must(err)
		want(p.APIVersion == "1.44" && p.OSType == "linux", "ping %v", p)
		_, err = cli.ServerVersion(ctx)
		must(err)
		i, err := cli.Info(ctx)
		must(err)
		want(i.Driver == "cloud-run-functions", "driver %s", i.Driver)
	}},
	{"attach, wait before start, streams apart", func() {
		id := create(container.Config{Cmd: []string{"sh", "-c", "cat; echo err >&2; exit 7"}, OpenStdin: true, StdinOnce: true}, nil)
		a, err := cli.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
		must(err)
		ok, bad := cli.ContainerWait(ctx, id, container.WaitConditionNextExit)
		must(cli.ContainerStart(ctx, id, container.StartOptions{}))
		_, err = io.WriteString(a.Conn, "in\n")
		must(err)
		must(a.CloseWrite())
		var out, e bytes.Buffer
		_, err = stdcopy.StdCopy(&out, &e, a.Reader)
		must(err)
		want(out.String() == "in\n" && e.String() == "err\n", "%q %q", out.String(), e.String())
		select {
		case r := <-ok:
			want(r.StatusCode == 7, "code %d", r.StatusCode)
		case err := <-bad:
			panic(err)
		}
		i, err := cli.ContainerInspect(ctx, id)
		must(err)
		want(!i.State.Running && i.State.ExitCode == 7, "state %+v", i.State)
		remove(id)
	}},
	{"auto-remove and wait for the removal", func() {
		id := create(container.Config{Cmd: []string{"sh", "-c", "exit 4"}}, &container.HostConfig{AutoRemove: true})
		ok, bad := cli.ContainerWait(ctx, id, container.WaitConditionRemoved)
		must(cli.ContainerStart(ctx, id, container.StartOptions{}))
		select {
		case r := <-ok:
			want(r.StatusCode == 4, "code %d", r.StatusCode)
		case err := <-bad:
			panic(err)
		}
		_, err := cli.ContainerInspect(ctx, id)
		want(errdefs.IsNotFound(err), "still there: %v", err)
	}},
	{"exec", func() {
		id := start("sleep", "1000")
		e, err := cli.ContainerExecCreate(ctx, id, types.ExecConfig{Cmd: []string{"sh", "-c", "cat; exit 9"}, AttachStdin: true, AttachStdout: true, AttachStderr: true, Env: []string{"A=b"}})
		must(err)
		a, err := cli.ContainerExecAttach(ctx, e.ID, types.ExecStartCheck{})
		must(err)
		_, err = io.WriteString(a.Conn, strings.Repeat("x", 1<<20))
		must(err)
		must(a.CloseWrite())
		var out bytes.Buffer
		_, err = stdcopy.StdCopy(&out, io.Discard, a.Reader)
		must(err)
		want(out.Len() == 1<<20, "%d bytes", out.Len())
		i, err := cli.ContainerExecInspect(ctx, e.ID)
		must(err)
		want(!i.Running && i.ExitCode == 9, "%+v", i)
		remove(id)
	}},
	{"logs", func() {
		id := start("sh", "-c", "echo one; echo two >&2")
		wait(id, container.WaitConditionNotRunning)
		r, err := cli.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: true})
		must(err)
		var out, e bytes.Buffer
		_, err = stdcopy.StdCopy(&out, &e, r)
		must(err)
		want(out.String() == "one\n" && e.String() == "two\n", "%q %q", out.String(), e.String())
		remove(id)
	}},
	{"stop, restart, kill, pause, rename, update, resize, top, stats", func() {
		id := start("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done")
		must(cli.ContainerPause(ctx, id))
		must(cli.ContainerUnpause(ctx, id))
		must(cli.ContainerRename(ctx, id, "go-renamed"))
		_, err := cli.ContainerUpdate(ctx, id, container.UpdateConfig{Resources: container.Resources{Memory: 128 << 20, MemorySwap: 256 << 20}})
		must(err)
		must(cli.ContainerResize(ctx, id, container.ResizeOptions{Height: 10, Width: 20}))
		_, err = cli.ContainerTop(ctx, id, nil)
		must(err)
		s, err := cli.ContainerStatsOneShot(ctx, id)
		must(err)
		s.Body.Close()
		ten := 10
		must(cli.ContainerRestart(ctx, id, container.StopOptions{Timeout: &ten}))
		must(cli.ContainerStop(ctx, id, container.StopOptions{Timeout: &ten}))
		must(cli.ContainerStart(ctx, id, container.StartOptions{}))
		must(cli.ContainerKill(ctx, id, "KILL"))
		want(wait(id, container.WaitConditionNotRunning) == 137, "not 137")
		remove(id)
	}},
	{"copy in before the start, and out", func() {
		id := create(container.Config{Cmd: []string{"cat", "/srv/in"}}, nil)
		var b bytes.Buffer
		t := tar.NewWriter(&b)
		must(t.WriteHeader(&tar.Header{Name: "srv/in", Mode: 0o600, Size: 4}))
		_, err := t.Write([]byte("data"))
		must(err)
		must(t.Close())
		must(cli.CopyToContainer(ctx, id, "/", &b, types.CopyToContainerOptions{}))
		st, err := cli.ContainerStatPath(ctx, id, "/srv/in")
		must(err)
		want(st.Size == 4 && st.Mode.IsRegular(), "%+v", st)
		r, _, err := cli.CopyFromContainer(ctx, id, "/srv/in")
		must(err)
		h, err := tar.NewReader(r).Next()
		must(err)
		want(h.Name == "in" && h.Size == 4, "%+v", h)
		r.Close()
		must(cli.ContainerStart(ctx, id, container.StartOptions{}))
		want(wait(id, container.WaitConditionNotRunning) == 0, "cat failed")
		remove(id)
	}},
	{"list with filters", func() {
		id := create(container.Config{Cmd: []string{"true"}, Labels: map[string]string{"go": "1"}}, nil)
		l, err := cli.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", "go=1"), filters.Arg("status", "created"))})
		must(err)
		want(len(l) == 1 && l[0].ID == id, "%v", l)
		remove(id)
	}},
	{"events", func() {
		msgs, errs := cli.Events(ctx, types.EventsOptions{Filters: filters.NewArgs(filters.Arg("type", "container"), filters.Arg("label", "goev"))})
		id := create(container.Config{Cmd: []string{"true"}, Labels: map[string]string{"goev": ""}}, nil)
		must(cli.ContainerStart(ctx, id, container.StartOptions{}))
		for _, action := range []string{"create", "start", "die"} {
			select {
			case m := <-msgs:
				want(string(m.Action) == action && m.Actor.ID == id, "%v, not %s", m.Action, action)
			case err := <-errs:
				panic(err)
			}
		}
		remove(id)
	}},
	{"images", func() {
		r, err := cli.ImagePull(ctx, "busybox:latest", types.ImagePullOptions{})
		must(err)
		_, err = io.Copy(io.Discard, r)
		must(err)
		must(cli.ImageTag(ctx, "busybox", "go-tag:1"))
		i, _, err := cli.ImageInspectWithRaw(ctx, "go-tag:1")
		must(err)
		want(len(i.RepoTags) >= 2, "%v", i.RepoTags)
		_, err = cli.ImageRemove(ctx, "go-tag:1", types.ImageRemoveOptions{})
		must(err)
		_, err = cli.ImageHistory(ctx, "busybox")
		must(err)
		_, err = cli.ImageBuild(ctx, bytes.NewReader(nil), types.ImageBuildOptions{})
		want(errdefs.IsNotImplemented(err), "build: %v", err)
	}},
	{"networks", func() {
		n, err := cli.NetworkCreate(ctx, "go-net", types.NetworkCreate{Labels: map[string]string{"go": "1"}})
		must(err)
		id := start("sleep", "1000")
		must(cli.NetworkConnect(ctx, n.ID, id, &network.EndpointSettings{Aliases: []string{"al"}}))
		i, err := cli.NetworkInspect(ctx, "go-net", types.NetworkInspectOptions{})
		must(err)
		want(len(i.Containers) == 1, "%v", i.Containers)
		must(cli.NetworkDisconnect(ctx, n.ID, id, false))
		remove(id)
		must(cli.NetworkRemove(ctx, n.ID))
		_, err = cli.NetworkInspect(ctx, "go-net", types.NetworkInspectOptions{})
		want(errdefs.IsNotFound(err), "%v", err)
	}},
	{"volumes", func() {
		v, err := cli.VolumeCreate(ctx, volume.CreateOptions{Name: "go-vol"})
		must(err)
		id := create(container.Config{Cmd: []string{"true"}}, &container.HostConfig{Binds: []string{"go-vol:/data"}})
		err = cli.VolumeRemove(ctx, v.Name, false)
		want(errdefs.IsConflict(err), "%v", err)
		remove(id)
		must(cli.VolumeRemove(ctx, v.Name, false))
	}},
	{"df and prune", func() {
		_, err := cli.DiskUsage(ctx, types.DiskUsageOptions{})
		must(err)
		_, err = cli.ContainersPrune(ctx, filters.NewArgs(filters.Arg("label", "nosuch")))
		must(err)
	}},
	{"a client that gives up", func() {
		id := start("sleep", "1000")
		short, stop := context.WithTimeout(ctx, 200*time.Millisecond)
		defer stop()
		_, bad := cli.ContainerWait(short, id, container.WaitConditionNotRunning)
		want(errors.Is(<-bad, context.DeadlineExceeded), "no deadline")
		remove(id)
	}},
}

func run(name string, fn func()) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Printf("not ok - %s: %v\n", name, r)
		}
	}()
	fn()
	fmt.Printf("ok - %s\n", name)
}

func main() {
	defer cancel()
	var err error
	cli, err = client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	must(err)
	fmt.Println("version - 25.0.6")
	for _, c := range cases {
		run(c.name, c.fn)
	}
	fmt.Println("skip - ContainerCommit, ContainerDiff, ImageSave, ImageLoad, ImagePush: 501, see the CLI's list")
}
