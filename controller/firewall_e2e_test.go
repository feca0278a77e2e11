package controller_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lightd/controller/firewall"
	"lightd/desired"
	"lightd/hack/harness"
	"lightd/observed/blueprint"
	"lightd/observed/status"
)

// ip calls the program of that name.
func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", args, err, out)
	}
}

const outsideName = "lightd-test-outside"

// outside makes a network namespace behind this one, which has the address of a cloud's metadata, and
// returns an address of this host that is reached from there.
func outside(t *testing.T) (host string) {
	const name, metadata = outsideName, "169.254.169.254"
	remove := func() { _ = exec.CommandContext(context.Background(), "ip", "netns", "del", name).Run() }
	remove()
	t.Cleanup(remove)
	ip(t, "netns add "+name)
	ip(t, "link add lightdtest3 type veth peer name eth0 netns "+name)
	ip(t, "addr add 198.51.100.1/24 dev lightdtest3")
	ip(t, "link set lightdtest3 up")
	ip(t, "-n "+name+" addr add 198.51.100.2/24 dev eth0")
	ip(t, "-n "+name+" addr add "+metadata+"/32 dev eth0")
	ip(t, "-n "+name+" link set eth0 up")
	ip(t, "-n "+name+" link set lo up")
	ip(t, "route add "+metadata+"/32 dev lightdtest3")
	return "198.51.100.1"
}

// inNamespace calls fn in a network namespace that outside has made.
func inNamespace(t *testing.T, fn func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		file, err := os.Open("/var/run/netns/" + outsideName)
		if err == nil {
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
			_ = file.Close()
		}
		if err == nil {
			fn()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// serve answers each connection to an address with a text, and returns the port.
func serve(t *testing.T, address, text string) (port int) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Error(err)
		return 0
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, text)
			_ = c.Close()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

// reads returns what is read from a TCP address.
func reads(address string) string {
	c, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	text, _ := io.ReadAll(c)
	return string(text)
}

// reaches fails the test unless a TCP address gives a text. The program behind it serves one connection
// after the other, and refuses those in between.
func (n *node) reaches(address, text string) {
	var last string
	for range 50 {
		if last = reads(address); strings.Contains(last, text) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	n.t.Errorf("%s: %q", address, last)
}

// TestHostIsOutOfReachOnARealEngine: a container reaches what listens on any address of the host, and the
// address of a cloud's metadata, before the firewall is in place, and nothing of it afterwards. What
// containers publish is reached from the host and from outside, and names are resolved, as before. The
// test has a network and a table of its own.
func TestHostIsOutOfReachOnARealEngine(t *testing.T) {
	t.Parallel()
	own := blueprint.Network{Name: "lightd-test-wall", Bridge: "lightdtest2"}
	docker := harness.Docker(t)
	keeper := firewall.New(firewall.Config{Table: "lightd-test-wall", Policy: firewall.Policy{Interface: own.Bridge}, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	n := newNode(t, t.TempDir(), func(o *setup) { o.network = own })
	t.Cleanup(func() { _ = docker.NetworkRemove(context.Background(), own.Name) })
	t.Cleanup(func() { _ = keeper.Remove() })
	n.clean()
	host := outside(t)
	port, published := serve(t, ":0", "secret"), desired.Port{IP: "0.0.0.0", Port: 7931, Protocol: desired.TCP, ContainerPort: 4000}
	inNamespace(t, func() { serve(t, "169.254.169.254:80", "secret") })
	n.must(n.store.AddPorts(t.Context(), []desired.Endpoint{published.Endpoint()}))
	n.create("fw-server", func(s *desired.Spec) {
		s.Power, s.Ports = desired.PowerRunning, []desired.Port{published}
		s.StartupCommand = "while :; do echo welcome | nc -l -p 4000; done"
	})
	n.waitState("fw-server", status.StateRunning)
	targets := []string{"$(ip route | awk '/default/ {print $3}') " + fmt.Sprint(port), host + " " + fmt.Sprint(port), "169.254.169.254 80"}
	client := n.create("fw-client", func(s *desired.Spec) {
		s.Power, s.StartupCommand = desired.PowerRunning, "while :; do { "
		for i, at := range targets {
			s.StartupCommand += fmt.Sprintf("echo \"%d $(nc -w 2 %s </dev/null)\"; ", i, at)
		}
		s.StartupCommand += "nslookup lightd-fw-server 127.0.0.11; echo end; } > out.new 2>&1; mv out.new out; sleep 0.2; done"
	})
	until := func(what string, is func(text string) bool) {
		t.Helper()
		last := ""
		n.wait("fw-client", what, func(status.Status) bool {
			last = n.result(client, "out")
			return is(last)
		})
		t.Logf("%s: %q", what, last)
	}
	until("reached", func(text string) bool { return strings.Count(text, "secret") == len(targets) })
	if err := keeper.Ensure(); err != nil || !keeper.State().InPlace() {
		t.Fatalf("%v %+v", err, keeper.State())
	}
	until("out of reach", func(text string) bool { return !strings.Contains(text, "secret") && strings.Contains(text, "end") })
	until("names", func(text string) bool {
		return strings.Contains(text, "lightd-fw-server") && strings.Contains(text, "Address")
	})
	for _, address := range []string{"127.0.0.1", host} {
		n.reaches(fmt.Sprintf("%s:%d", address, published.Port), "welcome")
	}
	inNamespace(t, func() { n.reaches(fmt.Sprintf("%s:%d", host, published.Port), "welcome") })
}
