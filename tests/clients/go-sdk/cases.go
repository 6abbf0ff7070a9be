// The Docker SDK for Go: its client's interface, walked through. What the docker CLI, compose and most runners are made of.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
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

func remove(id string) {
	must(cli.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true}))
}

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
	{"exec: create, resize, detach, a terminal", func() {
		id := start("sleep", "1000")
		defer remove(id)
		e, err := cli.ContainerExecCreate(ctx, id, types.ExecConfig{Cmd: []string{"sh", "-c", "read x; stty size; exit 2"}, Tty: true, AttachStdin: true, AttachStdout: true})
		must(err)
		a, err := cli.ContainerExecAttach(ctx, e.ID, types.ExecStartCheck{Tty: true})
		must(err)
		must(cli.ContainerExecResize(ctx, e.ID, container.ResizeOptions{Height: 40, Width: 120}))
		_, err = io.WriteString(a.Conn, "go\n")
		must(err)
		out, err := io.ReadAll(a.Reader)
		must(err)
		want(strings.Contains(string(out), "40 120"), "%q", out)
		i, err := cli.ContainerExecInspect(ctx, e.ID)
		must(err)
		want(i.ExitCode == 2 && i.ContainerID == id, "%+v", i)
		e, err = cli.ContainerExecCreate(ctx, id, types.ExecConfig{Cmd: []string{"true"}, Detach: true})
		must(err)
		must(cli.ContainerExecStart(ctx, e.ID, types.ExecStartCheck{Detach: true}))
	}},
	{"attach again, with what was printed before", func() {
		id := start("sh", "-c", "echo before; sleep 0.2; echo after")
		a, err := cli.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdout: true, Logs: true})
		must(err)
		var out bytes.Buffer
		_, err = stdcopy.StdCopy(&out, io.Discard, a.Reader)
		must(err)
		want(out.String() == "before\nafter\n", "%q", out.String())
		remove(id)
	}},
	{"logs: tail, since, timestamps, follow from now", func() {
		id := start("sh", "-c", "seq 1 5; sleep 1000")
		defer remove(id)
		read := func(o container.LogsOptions) string {
			o.ShowStdout = true
			r, err := cli.ContainerLogs(ctx, id, o)
			must(err)
			defer r.Close()
			var out bytes.Buffer
			_, err = stdcopy.StdCopy(&out, io.Discard, r)
			must(err)
			return out.String()
		}
		until(func() bool { return read(container.LogsOptions{}) == "1\n2\n3\n4\n5\n" }, "the log")
		want(read(container.LogsOptions{Tail: "2"}) == "4\n5\n", "tail")
		want(read(container.LogsOptions{Since: "2099-01-01T00:00:00Z"}) == "", "since")
		want(strings.Contains(read(container.LogsOptions{Timestamps: true, Tail: "1"}), "Z 5\n"), "timestamps")
	}},
	{"stats as a stream, export, the file system of what is there", func() {
		id := start("sleep", "1000")
		defer remove(id)
		s, err := cli.ContainerStats(ctx, id, true)
		must(err)
		var v types.StatsJSON
		must(json.NewDecoder(s.Body).Decode(&v))
		s.Body.Close()
		want(v.ID == id && v.PidsStats.Current > 0, "%+v", v.PidsStats)
		r, err := cli.ContainerExport(ctx, id)
		must(err)
		n, err := io.Copy(io.Discard, r)
		must(err)
		want(n > 100000, "%d bytes", n)
		i, raw, err := cli.ContainerInspectWithRaw(ctx, id, true)
		must(err)
		want(i.SizeRw != nil && len(raw) > 1000, "no sizes")
	}},
	{"what functions can't do is 501 or 400, with a reason", func() {
		id := start("sleep", "1000")
		defer remove(id)
		_, err := cli.ContainerDiff(ctx, id)
		want(errdefs.IsNotImplemented(err), "diff: %v", err)
		_, err = cli.ContainerCommit(ctx, id, container.CommitOptions{})
		want(errdefs.IsNotImplemented(err), "commit: %v", err)
		_, err = cli.ImageSave(ctx, []string{"busybox"})
		want(errdefs.IsNotImplemented(err), "save: %v", err)
		_, err = cli.ImageLoad(ctx, strings.NewReader(""), true)
		want(errdefs.IsNotImplemented(err), "load: %v", err)
		_, err = cli.ImageImport(ctx, types.ImageImportSource{Source: strings.NewReader(""), SourceName: "-"}, "x:y", types.ImageImportOptions{})
		want(errdefs.IsNotImplemented(err), "import: %v", err)
		_, err = cli.ContainerCreate(ctx, &container.Config{Image: "busybox", Cmd: []string{"true"}}, &container.HostConfig{Binds: []string{"/etc:/host"}}, nil, nil, "")
		want(errdefs.IsInvalidParameter(err) && strings.Contains(err.Error(), "bind mount"), "bind: %v", err)
		_, err = cli.ContainerCreate(ctx, &container.Config{Image: "busybox", Cmd: []string{"true"}}, &container.HostConfig{NetworkMode: container.NetworkMode("container:" + id)}, nil, nil, "")
		want(err != nil, "it joined another container's network")
	}},
	{"swarm, plugins, checkpoints", func() {
		_, err := cli.SwarmInspect(ctx)
		want(errdefs.IsUnavailable(err), "swarm: %v", err)
		_, err = cli.ServiceList(ctx, types.ServiceListOptions{})
		want(errdefs.IsUnavailable(err), "services: %v", err)
		_, err = cli.SecretList(ctx, types.SecretListOptions{})
		want(errdefs.IsUnavailable(err), "secrets: %v", err)
		p, err := cli.PluginList(ctx, filters.NewArgs())
		must(err)
		want(len(p) == 0, "%v", p)
		_, _, err = cli.PluginInspectWithRaw(ctx, "nosuch")
		want(errdefs.IsNotFound(err), "plugin: %v", err)
	}},
	{"errors of what is not there", func() {
		_, err := cli.ContainerInspect(ctx, "nosuch")
		want(client.IsErrNotFound(err), "%v", err)
		must(wrong(cli.ContainerStart(ctx, "nosuch", container.StartOptions{}), errdefs.IsNotFound))
		_, _, err = cli.ImageInspectWithRaw(ctx, "nosuch:tag")
		want(client.IsErrNotFound(err), "%v", err)
		_, err = cli.VolumeInspect(ctx, "nosuch")
		want(errdefs.IsNotFound(err), "%v", err)
		_, err = cli.ContainerExecInspect(ctx, strings.Repeat("0", 64))
		want(errdefs.IsNotFound(err), "%v", err)
		id := start("true")
		wait(id, container.WaitConditionNotRunning)
		must(wrong(cli.ContainerKill(ctx, id, "KILL"), errdefs.IsConflict))
		_, err = cli.ContainerExecCreate(ctx, id, types.ExecConfig{Cmd: []string{"true"}})
		want(errdefs.IsConflict(err), "%v", err)
		must(wrong(cli.CopyToContainer(ctx, id, "/tmp", strings.NewReader("no tar"), types.CopyToContainerOptions{}), errdefs.IsInvalidParameter))
		remove(id)
	}},
	{"images: list, prune, what is dangling", func() {
		l, err := cli.ImageList(ctx, types.ImageListOptions{Filters: filters.NewArgs(filters.Arg("reference", "busybox"))})
		must(err)
		want(len(l) == 1 && len(l[0].RepoTags) >= 1, "%v", l)
		r, err := cli.ImagesPrune(ctx, filters.NewArgs(filters.Arg("dangling", "true")))
		must(err)
		want(r.SpaceReclaimed == 0, "%v", r)
	}},
	{"networks: list, prune, several at create", func() {
		for _, n := range []string{"go-a", "go-b"} {
			_, err := cli.NetworkCreate(ctx, n, types.NetworkCreate{Labels: map[string]string{"go-nets": ""}})
			must(err)
		}
		c, err := cli.ContainerCreate(ctx, &container.Config{Image: "busybox", Cmd: []string{"sleep", "1000"}}, &container.HostConfig{NetworkMode: "go-a"},
			&network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"go-a": {Aliases: []string{"x"}}, "go-b": {}}}, nil, "")
		must(err)
		i, err := cli.ContainerInspect(ctx, c.ID)
		must(err)
		want(len(i.NetworkSettings.Networks) == 2, "%v", i.NetworkSettings.Networks)
		l, err := cli.NetworkList(ctx, types.NetworkListOptions{Filters: filters.NewArgs(filters.Arg("label", "go-nets"))})
		must(err)
		want(len(l) == 2, "%v", l)
		remove(c.ID)
		p, err := cli.NetworksPrune(ctx, filters.NewArgs(filters.Arg("label", "go-nets")))
		must(err)
		want(len(p.NetworksDeleted) == 2, "%v", p)
	}},
	{"volumes: list, prune, contents from one container to the next", func() {
		v, err := cli.VolumeCreate(ctx, volume.CreateOptions{Name: "go-data", Labels: map[string]string{"go-vols": ""}})
		must(err)
		host := &container.HostConfig{Binds: []string{v.Name + ":/data"}}
		one := create(container.Config{Cmd: []string{"sh", "-c", "echo kept > /data/f"}}, host)
		must(cli.ContainerStart(ctx, one, container.StartOptions{}))
		want(wait(one, container.WaitConditionNotRunning) == 0, "writing")
		two := create(container.Config{Cmd: []string{"grep", "kept", "/data/f"}}, host)
		must(cli.ContainerStart(ctx, two, container.StartOptions{}))
		want(wait(two, container.WaitConditionNotRunning) == 0, "reading")
		remove(one)
		remove(two)
		l, err := cli.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "go-vols"))})
		must(err)
		want(len(l.Volumes) == 1, "%v", l)
		p, err := cli.VolumesPrune(ctx, filters.NewArgs(filters.Arg("label", "go-vols"), filters.Arg("all", "true")))
		must(err)
		want(len(p.VolumesDeleted) == 1, "%v", p)
	}},
	{"what Ryuk does: all that a session's label names is found and removed", func() {
		label := map[string]string{"org.testcontainers.sessionId": "s1"}
		byLabel := filters.NewArgs(filters.Arg("label", "org.testcontainers.sessionId=s1"))
		n, err := cli.NetworkCreate(ctx, "go-ryuk", types.NetworkCreate{Labels: label})
		must(err)
		_, err = cli.VolumeCreate(ctx, volume.CreateOptions{Name: "go-ryuk", Labels: label})
		must(err)
		c, err := cli.ContainerCreate(ctx, &container.Config{Image: "busybox", Cmd: []string{"sleep", "1000"}, Labels: label},
			&container.HostConfig{NetworkMode: "go-ryuk", Binds: []string{"go-ryuk:/data"}}, nil, nil, "")
		must(err)
		must(cli.ContainerStart(ctx, c.ID, container.StartOptions{}))
		cs, err := cli.ContainerList(ctx, container.ListOptions{All: true, Filters: byLabel})
		must(err)
		want(len(cs) == 1 && cs[0].Created > 0, "%v", cs)
		remove(c.ID)
		ns, err := cli.NetworkList(ctx, types.NetworkListOptions{Filters: byLabel})
		must(err)
		want(len(ns) == 1 && !ns[0].Created.IsZero(), "%v", ns)
		must(cli.NetworkRemove(ctx, n.ID))
		vs, err := cli.VolumeList(ctx, volume.ListOptions{Filters: byLabel})
		must(err)
		_, err = time.Parse(time.RFC3339, vs.Volumes[0].CreatedAt)
		must(err)
		must(cli.VolumeRemove(ctx, "go-ryuk", true))
		is, err := cli.ImageList(ctx, types.ImageListOptions{Filters: byLabel})
		must(err)
		want(len(is) == 0, "%v", is)
	}},
	{"a hundred times: start, wait, the code", func() {
		id := create(container.Config{Cmd: []string{"sh", "-c", "exit 6"}}, nil)
		for i := 0; i < 100; i++ {
			ok, bad := cli.ContainerWait(ctx, id, container.WaitConditionNextExit)
			must(cli.ContainerStart(ctx, id, container.StartOptions{}))
			select {
			case r := <-ok:
				want(r.StatusCode == 6, "code %d in run %d", r.StatusCode, i)
			case err := <-bad:
				panic(err)
			}
		}
		remove(id)
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

// err, unless it is of the kind that belongs here.
func wrong(err error, kind func(error) bool) error {
	if err != nil && kind(err) {
		return nil
	}
	return fmt.Errorf("not the error that belongs here: %v", err)
}

func until(test func() bool, what string) {
	for stop := time.Now().Add(30 * time.Second); !test(); time.Sleep(10 * time.Millisecond) {
		want(time.Now().Before(stop), "%s did not happen", what)
	}
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
	fmt.Println("skip - ContainerCommit, ContainerDiff, ImageSave, ImageLoad, ImageImport, ImageBuild at work: 501, see the CLI's list")
	fmt.Println("skip - swarm, services, nodes, secrets, configs at work: no swarm: 503")
}
