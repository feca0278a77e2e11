package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"lightd/hack/harness"
)

// TestBadConnections breaks HTTP itself.
func TestBadConnections(t *testing.T) {
	t.Parallel()
	n := lonely(t)
	volume, _ := n.volume()
	body := spec("new", volume, "")
	head := "POST /containers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer " + n.token + "\r\n"
	for what, text := range map[string]string{
		"two lengths":           head + fmt.Sprintf("Content-Length: %d\r\nContent-Length: 2\r\n\r\n%s", len(body), body),
		"half a body":           head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body)+10, body),
		"no length":             head + "\r\n" + body,
		"two authorizations":    head + fmt.Sprintf("Authorization: Bearer x\r\nContent-Length: %d\r\n\r\n%s", len(body), body),
		"no host":               fmt.Sprintf("POST /containers HTTP/1.1\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", n.token, len(body), body),
		"a line without an end": "POST /" + strings.Repeat("a", 2<<20),
		"no HTTP":               "hello\r\n\r\n",
	} {
		conn := harness.Value[net.Conn](t)(net.Dial("tcp", strings.TrimPrefix(n.url, "http://")))
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, text)
		if what == "half a body" {
			_ = conn.(*net.TCPConn).CloseWrite()
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			if response.StatusCode < 400 || response.StatusCode >= 500 {
				t.Errorf("%s: got %d", what, response.StatusCode)
			}
			_ = response.Body.Close()
		}
		_ = conn.Close()
		n.send("GET", "/containers", "").want(200, `{"containers":[],`)
	}
}

// TestLengthTogetherWithChunks: a proxy in front could believe the other one of the two,
// so that nothing that follows on the connection is taken for a request.
func TestLengthTogetherWithChunks(t *testing.T) {
	t.Parallel()
	n := lonely(t)
	volume, _ := n.volume()
	body := spec("new", volume, "")
	conn := harness.Value[net.Conn](t)(net.Dial("tcp", strings.TrimPrefix(n.url, "http://")))
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "POST /containers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n"+
		"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"+
		"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", n.token, len(body), len(body), body)
	reader := bufio.NewReader(conn)
	response := harness.Value[*http.Response](t)(http.ReadResponse(reader, nil))
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	if !response.Close {
		t.Errorf("%d, and the connection goes on", response.StatusCode)
	}
	if second, err := http.ReadResponse(reader, nil); err == nil {
		_ = second.Body.Close()
		t.Errorf("what followed was answered with %d", second.StatusCode)
	}
}

// TestUnreadBodyEndsTheConnection: whoever has no token and sends no body keeps no connection.
func TestUnreadBodyEndsTheConnection(t *testing.T) {
	t.Parallel()
	n := lonely(t)
	for what, header := range map[string]string{
		"no token": "Host: localhost\r\n", "a wrong token": "Host: localhost\r\nAuthorization: Bearer lightd_0123456789012345\r\n",
		"a foreign host": "Host: evil.example\r\n", "a public route": "Host: localhost\r\n",
	} {
		conn := harness.Value[net.Conn](t)(net.Dial("tcp", strings.TrimPrefix(n.url, "http://")))
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // the server reads a body for 60 s
		line, status := "POST /containers", "HTTP/1.1 4"
		if what == "a public route" {
			line, status = "GET /healthz", "HTTP/1.1 200"
		}
		fmt.Fprintf(conn, "%s HTTP/1.1\r\n%sContent-Length: 1000\r\n\r\n", line, header)
		if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), status) {
			t.Errorf("%s: %v after %q", what, err, text)
		}
	}
}
