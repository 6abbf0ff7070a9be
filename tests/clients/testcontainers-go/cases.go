// testcontainers for Go, Ryuk off: log, exec, file, exit and health waits, copies in and out, exec, log consumers, reuse, networks, volumes.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	tcexec "github.com/testcontainers/testcontainers-go/exec"
	tclog "github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
)

type opt = testcontainers.ContainerCustomizer

var ctx, cancel = context.WithTimeout(context.Background(), 4*time.Minute)

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

func text(r io.Reader, err error) string {
	must(err)
	b, err := io.ReadAll(r)
	must(err)
	return string(b)
}

func run(opts ...opt) *testcontainers.DockerContainer {
	c, err := testcontainers.Run(ctx, "busybox", opts...)
	must(err)
	return c
}

func sh(script string) opt { return testcontainers.WithCmd("sh", "-c", script) }

func end(c *testcontainers.DockerContainer) { must(testcontainers.TerminateContainer(c)) }

func execute(c *testcontainers.DockerContainer, cmd ...string) (int, string) {
	code, r, err := c.Exec(ctx, cmd, tcexec.Multiplexed())
	must(err)
	return code, text(r, nil)
}

type lines struct {
	sync.Mutex
	seen []string
}

func (l *lines) Accept(line testcontainers.Log) {
	l.Lock()
	defer l.Unlock()
	l.seen = append(l.seen, line.LogType+" "+strings.TrimSpace(string(line.Content)))
}

func (l *lines) has(line string) bool {
	l.Lock()
	defer l.Unlock()
	for _, s := range l.seen {
		if s == line {
			return true
		}
	}
	return false
}

func until(test func() bool, what string) {
	for stop := time.Now().Add(30 * time.Second); !test(); time.Sleep(10 * time.Millisecond) {
		want(time.Now().Before(stop), "%s did not happen", what)
	}
}

func logs(c *testcontainers.DockerContainer) string { return text(c.Logs(ctx)) }

var cases = []struct {
	name string
	fn   func()
}{
	{"waits for a log line, twice", func() {
		c := run(sh("echo ready; sleep 0.2; echo ready; sleep 1000"), testcontainers.WithWaitStrategy(wait.ForLog("ready").WithOccurrence(2)))
		defer end(c)
		want(strings.Count(logs(c), "ready") == 2, "%q", logs(c))
	}},
	{"waits for a pattern in the log", func() {
		end(run(sh("echo listening on 4711; sleep 1000"), testcontainers.WithWaitStrategy(wait.ForLog(`on \d+`).AsRegexp())))
	}},
	{"waits for a port, and for a page behind it", func() {
		for _, strategy := range []wait.Strategy{wait.ForListeningPort("8000/tcp"), wait.ForHTTP("/p").WithPort("8000/tcp")} {
			c := run(sh("sleep 0.3; echo page > /tmp/p; exec httpd -f -p 8000 -h /tmp"), testcontainers.WithExposedPorts("8000/tcp"),
				testcontainers.WithWaitStrategy(strategy))
			at, err := c.PortEndpoint(ctx, "8000/tcp", "http")
			must(err)
			answer, err := http.Get(at + "/p")
			must(err)
			want(text(answer.Body, nil) == "page\n", "%s", at)
			end(c)
		}
	}},
	{"waits for an exec", func() {
		c := run(sh("sleep 0.3; touch /tmp/up; sleep 1000"),
			testcontainers.WithWaitStrategy(wait.ForExec([]string{"test", "-f", "/tmp/up"}).WithPollInterval(20*time.Millisecond)))
		defer end(c)
		code, _ := execute(c, "test", "-f", "/tmp/up")
		want(code == 0, "code %d", code)
	}},
	{"waits for a file", func() {
		end(run(sh("sleep 0.2; echo yes >/tmp/file; sleep 1000"), testcontainers.WithWaitStrategy(wait.ForFile("/tmp/file").WithPollInterval(20*time.Millisecond))))
	}},
	{"waits for the exit", func() {
		c := run(sh("exit 3"), testcontainers.WithWaitStrategy(wait.ForExit()))
		defer end(c)
		s, err := c.State(ctx)
		must(err)
		want(!s.Running && s.ExitCode == 3, "%+v", s)
	}},
	{"waits for health", func() {
		end(run(sh("touch /tmp/ok; sleep 1000"), testcontainers.WithWaitStrategy(wait.ForHealthCheck()), testcontainers.WithConfigModifier(func(c *container.Config) {
			c.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "test", "-f", "/tmp/ok"}, Interval: 100 * time.Millisecond}
		})))
	}},
	{"a strategy that does not come true is an error, and leaves nothing", func() {
		c, err := testcontainers.Run(ctx, "busybox", sh("echo no; exit 1"), testcontainers.WithWaitStrategyAndDeadline(20*time.Second, wait.ForLog("yes")))
		want(err != nil, "no error")
		must(testcontainers.TerminateContainer(c))
	}},
	{"exec: code, streams, environment, directory, user", func() {
		c := run(sh("sleep 1000"))
		defer end(c)
		code, out := execute(c, "sh", "-c", "echo out; exit 5")
		want(code == 5 && out == "out\n", "%d %q", code, out)
		code, r, err := c.Exec(ctx, []string{"sh", "-c", "echo $A; pwd; id -un"}, tcexec.Multiplexed(), tcexec.WithEnv([]string{"A=b"}),
			tcexec.WithWorkingDir("/tmp"), tcexec.WithUser("nobody"))
		want(code == 0 && text(r, err) == "b\n/tmp\nnobody\n", "code %d", code)
	}},
	{"exec: 50 in a row have their code at once", func() {
		c := run(sh("sleep 1000"))
		defer end(c)
		for i := range 50 {
			code, _ := execute(c, "sh", "-c", fmt.Sprintf("exit %d", i))
			want(code == i, "%d, not %d", code, i)
		}
	}},
	{"files before the start", func() {
		c := run(testcontainers.WithCmd("cat", "/srv/conf"), testcontainers.WithWaitStrategy(wait.ForExit()),
			testcontainers.WithFiles(testcontainers.ContainerFile{Reader: strings.NewReader("given\n"), ContainerFilePath: "/srv/conf", FileMode: 0o600}))
		defer end(c)
		want(logs(c) == "given\n", "%q", logs(c))
	}},
	{"copies in and out while it runs", func() {
		c := run(sh("sleep 1000"))
		defer end(c)
		must(c.CopyToContainer(ctx, []byte("bytes"), "/tmp/in", 0o755))
		_, out := execute(c, "stat", "-c", "%a %s", "/tmp/in")
		want(out == "755 5\n", "%q", out)
		want(text(c.CopyFileFromContainer(ctx, "/tmp/in")) == "bytes", "other bytes")
		dir, err := os.MkdirTemp("", "tcg")
		must(err)
		defer os.RemoveAll(dir)
		must(os.MkdirAll(filepath.Join(dir, "tree", "sub"), 0o755))
		must(os.WriteFile(filepath.Join(dir, "tree", "sub", "f"), []byte("deep"), 0o644))
		must(c.CopyDirToContainer(ctx, filepath.Join(dir, "tree"), "/tmp/tree", 0o755))
		_, out = execute(c, "sh", "-c", "find /tmp/tree -name f -exec cat {} +")
		want(out == "deep", "%q", out)
		_, err = c.CopyFileFromContainer(ctx, "/nosuch")
		want(err != nil && strings.Contains(err.Error(), "Could not find the file /nosuch"), "%v", err)
	}},
	{"a log consumer gets both streams", func() {
		l := &lines{}
		c := run(sh("echo out; echo err >&2; sleep 1000"), testcontainers.WithLogConsumers(l))
		defer end(c)
		until(func() bool { return l.has("STDOUT out") && l.has("STDERR err") }, "the lines")
	}},
	{"stop and start again", func() {
		c := run(sh("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"), testcontainers.WithWaitStrategy(wait.ForLog("up")))
		defer end(c)
		grace := 10 * time.Second
		must(c.Stop(ctx, &grace))
		s, err := c.State(ctx)
		must(err)
		want(!s.Running && s.ExitCode == 0, "%+v", s)
		must(c.Start(ctx))
		want(c.IsRunning() && strings.Contains(logs(c), "bye"), "%q", logs(c))
	}},
	{"reuse by name", func() {
		one := run(sh("sleep 1000"), testcontainers.WithReuseByName("tcg-reused"))
		defer end(one)
		two := run(sh("sleep 1000"), testcontainers.WithReuseByName("tcg-reused"))
		want(one.GetContainerID() == two.GetContainerID(), "two containers")
	}},
	{"startup and after-ready commands", func() {
		c := run(sh("sleep 1000"), testcontainers.WithStartupCommand(testcontainers.NewRawCommand([]string{"touch", "/tmp/started"})),
			testcontainers.WithAfterReadyCommand(testcontainers.NewRawCommand([]string{"touch", "/tmp/ready"})))
		defer end(c)
		code, _ := execute(c, "test", "-f", "/tmp/started", "-a", "-f", "/tmp/ready")
		want(code == 0, "not both files")
	}},
	{"networks and aliases", func() {
		n, err := network.New(ctx)
		must(err)
		c := run(sh("sleep 1000"), network.WithNetwork([]string{"al"}, n))
		names, err := c.Networks(ctx)
		must(err)
		aliases, err := c.NetworkAliases(ctx)
		must(err)
		want(len(names) == 1 && names[0] == n.Name && strings.Contains(strings.Join(aliases[n.Name], " "), "al"), "%v %v", names, aliases)
		ip, err := c.ContainerIP(ctx)
		must(err)
		want(strings.Count(ip, ".") == 3, "address %q", ip)
		end(c)
		must(n.Remove(ctx))
	}},
	{"a volume goes with its container", func() {
		c := run(sh("sleep 1000"), testcontainers.WithMounts(testcontainers.VolumeMount("tcg-vol", "/data")))
		code, _ := execute(c, "test", "-d", "/data")
		want(code == 0, "no /data")
		must(testcontainers.TerminateContainer(c, testcontainers.RemoveVolumes("tcg-vol")))
	}},
	{"labels, environment, inspect", func() {
		c := run(sh("echo $A; sleep 1000"), testcontainers.WithEnv(map[string]string{"A": "b c"}), testcontainers.WithLabels(map[string]string{"my.label": "1"}),
			testcontainers.WithWaitStrategy(wait.ForLog("b c")))
		defer end(c)
		i, err := c.Inspect(ctx)
		must(err)
		want(i.Config.Labels["my.label"] == "1" && i.Config.Labels["org.testcontainers"] == "true", "%v", i.Config.Labels)
	}},
	{"eight at once", func() {
		var all sync.WaitGroup
		var bad sync.Map
		for i := range 8 {
			all.Add(1)
			go func() {
				defer all.Done()
				c, err := testcontainers.Run(ctx, "busybox", sh(fmt.Sprintf("echo n%d; sleep 1000", i)), testcontainers.WithWaitStrategy(wait.ForLog(fmt.Sprintf("n%d", i))))
				if err == nil {
					err = testcontainers.TerminateContainer(c)
				}
				if err != nil {
					bad.Store(i, err)
				}
			}()
		}
		all.Wait()
		bad.Range(func(i, err any) bool { panic(fmt.Errorf("%v: %v", i, err)) })
	}},
	{"Ryuk enabled says why it can't", func() {
		again := exec.Command(os.Args[0], "ryuk")
		again.Env = append(os.Environ(), "TESTCONTAINERS_RYUK_DISABLED=false")
		out, err := again.CombinedOutput()
		want(err == nil && bytes.Contains(out, []byte("bind")), "%v %s", err, out)
	}},
}

/* A process of its own: what Ryuk is set to is read once. Its container asks for the host's Docker socket: a bind mount. */
func withRyuk() {
	c, err := testcontainers.Run(ctx, "busybox", sh("sleep 1000"))
	must(testcontainers.TerminateContainer(c)) // it was created before Ryuk was tried
	if err == nil {
		os.Exit(1)
	}
	fmt.Println(err)
}

func try(name string, fn func()) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Printf("not ok - %s: %s\n", name, strings.ReplaceAll(fmt.Sprint(r), "\n", " | "))
		}
	}()
	fn()
	fmt.Printf("ok - %s\n", name)
}

func main() {
	defer cancel()
	tclog.SetDefault(silent{})
	if len(os.Args) > 1 {
		withRyuk()
		return
	}
	fmt.Println("version - 0.45.0")
	for _, c := range cases {
		try(c.name, c.fn)
	}
	fmt.Println("skip - Ryuk enabled, at work: its container needs the host's Docker socket, and a function has no host")
	fmt.Println("skip - FromDockerfile: functions are run, not built")
}

type silent struct{}

func (silent) Printf(string, ...any) {}
