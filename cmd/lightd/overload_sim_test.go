package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"lightd/hack/harness"
)

// residentMiB is the memory of a daemon in use, in MiB.
func (n *node) residentMiB() int {
	n.t.Helper()
	text := string(harness.Value[[]byte](n.t)(os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))))
	match := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindStringSubmatch(text)
	return harness.Value[int](n.t)(strconv.Atoi(match[1])) / 1024
}

// dial connects to the daemon; the connection is closed with the test.
func (n *node) dial() net.Conn {
	n.t.Helper()
	conn := harness.Value[net.Conn](n.t)(net.Dial("tcp", strings.TrimPrefix(n.url, "http://")))
	n.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// second makes a token of another client.
func (n *node) second() *node {
	n.t.Helper()
	stdout, _, code := n.tool("token", "create", "--ttl", "1h")
	if code != 0 {
		n.t.Fatal("no second token")
	}
	return &node{t: n.t, url: n.url, token: strings.TrimSpace(stdout), log: n.log}
}

// TestIdleConnectionsStopNothing: 600 connections without a request, where 300 files may be open. The API
// answers new clients, and files can be opened.
func TestIdleConnectionsStopNothing(t *testing.T) {
	t.Parallel()
	n := &node{t: t, dir: t.TempDir(), files: 300}
	n.start("--docker-host", "unix:///nonexistent/docker.sock")
	for i := range 600 {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(n.url, "http://"), time.Second)
		if err != nil {
			continue
		}
		defer conn.Close()
		if i%2 == 0 {
			_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\n") // headers that do not end
		}
	}
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		r := harness.Value[*http.Request](t)(http.NewRequestWithContext(ctx, "GET", n.url+"/healthz", nil))
		answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		cancel()
		if err != nil {
			t.Fatalf("a new client gets no answer: %v", err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != 200 {
			t.Errorf("a new client gets %s", answer.Status)
		}
	}
	if open := harness.Value[[]os.DirEntry](t)(os.ReadDir(fmt.Sprintf("/proc/%d/fd", n.cmd.Process.Pid))); len(open) > 250 {
		t.Errorf("%d of 300 files are open", len(open))
	}
	n.volume() // makes a directory, and writes
}

// TestHalfSentBodiesAreBounded: 60 applies of which the last byte never comes. What is beyond the budget is
// refused, memory stays, and another client is served.
func TestHalfSentBodiesAreBounded(t *testing.T) {
	t.Parallel()
	n := lonely(t)
	other := n.second()
	const size = 16 << 20
	part := []byte(`{"containers":[` + strings.Repeat(" ", size-20))
	refused := make(chan int, 60)
	for range 60 {
		conn := n.dial()
		go func() {
			fmt.Fprintf(conn, "POST /apply HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", n.token, size)
			_, _ = conn.Write(part)
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			if answer, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				if answer.StatusCode == 429 && answer.Header.Get("Retry-After") == "" {
					t.Error("a 429 does not say when to come again")
				}
				refused <- answer.StatusCode
			} else if !errors.Is(err, os.ErrDeadlineExceeded) {
				refused <- 0 // closed while it was still sending
			}
		}()
	}
	for i := range 50 {
		select {
		case status := <-refused:
			if status != 429 && status != 0 {
				t.Errorf("half a body is answered with %d", status)
			}
		case <-time.After(40 * time.Second):
			t.Fatalf("only %d of 60 half bodies were refused; memory is %d MiB", i, n.residentMiB())
		}
	}
	poll(t, func() error { // the machine has had much to do
		a := other.send("POST", "/volumes", "")
		if a.status != 201 {
			return fmt.Errorf("another client is answered with %d", a.status)
		}
		return nil
	})
	t.Logf("memory is %d MiB at most", n.residentMiB())
	if got := n.residentMiB(); got > 350*raceMemory {
		t.Errorf("it took %d MiB", got)
	}
}

// TestUnreadAnswersAreBounded: 60 clients ask for a long list and do not read. Memory stays, and another
// client is served.
func TestUnreadAnswersAreBounded(t *testing.T) {
	t.Parallel()
	n := lonely(t)
	other := n.second()
	volume, _ := n.volume()
	env := strings.Repeat("x", 30_000)
	for batch := range 8 {
		specs := make([]string, 50)
		for i := range specs {
			specs[i] = spec(fmt.Sprintf("c%d-%d", batch, i), volume, fmt.Sprintf(`"env":{"A":%q}`, env))
		}
		n.send("POST", "/apply", `{"containers":[`+strings.Join(specs, ",")+`]}`).want(200, "")
	}
	before := n.residentMiB()
	first := make(chan string, 60)
	for range 60 {
		conn := n.dial()
		_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		go func() {
			fmt.Fprintf(conn, "GET /containers?view=full HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", n.token)
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			line := make([]byte, 12)
			_, _ = io.ReadFull(conn, line)
			first <- string(line)
		}()
	}
	statuses := map[string]int{}
	for range 60 {
		statuses[<-first]++
	}
	other.send("GET", "/containers/c0-0", "").want(200, "c0-0")
	if statuses["HTTP/1.1 200"] == 0 || statuses["HTTP/1.1 503"]+statuses["HTTP/1.1 429"] < 30 {
		t.Errorf("the answers are %v", statuses)
	}
	t.Logf("memory is %d MiB at most, after %d; the answers are %v", n.residentMiB(), before, statuses)
	if got := n.residentMiB(); got > before+300*raceMemory {
		t.Errorf("it took %d MiB, after %d", got, before)
	}
}

// limitFiles makes cmd run with a limit of open files.
func limitFiles(t testing.TB, cmd *exec.Cmd, files int) {
	t.Helper()
	shell := harness.Value[string](t)(exec.LookPath("sh"))
	cmd.Args = append([]string{"sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, files), cmd.Path}, cmd.Args[1:]...)
	cmd.Path = shell
}
