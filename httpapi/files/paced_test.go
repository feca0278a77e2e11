package files

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/hack/eventually"
	"lightd/httpapi/rest"
)

func TestMain(m *testing.M) { eventually.Main(m) }

// serve answers each request by h, within a time for a whole request that is over at once.
func serve(t *testing.T, h func(c *gin.Context)) (address string) {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.NoRoute(h)
	server := httptest.NewUnstartedServer(engine)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// TestStalledUpload is given up, and the client is told why.
func TestStalledUpload(t *testing.T) {
	read := make(chan error, 1)
	address := serve(t, func(c *gin.Context) {
		u := &upload{body: c.Request.Body, control: http.NewResponseController(c.Writer), stall: 50 * time.Millisecond, closing: t.Context()}
		_, err := io.Copy(io.Discard, u)
		u.end(c)
		read <- err
		p, _ := rest.ErrorOf(err)
		p.Write(c.Writer, c.Request)
	})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npart")
	if err := <-read; !errors.Is(err, errStalled) {
		t.Errorf("%v", err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !strings.Contains(string(answer), `"stalled"`) {
		t.Errorf("%q, %v", answer, err)
	}
}

// TestSlowUpload takes longer than a whole request may, and so does its answer.
func TestSlowUpload(t *testing.T) {
	address := serve(t, func(c *gin.Context) {
		u := &upload{body: c.Request.Body, control: http.NewResponseController(c.Writer), stall: time.Minute, closing: t.Context()}
		n, err := io.Copy(io.Discard, u)
		u.end(c)
		c.String(http.StatusOK, "%d %v", n, err)
	})
	body, into := io.Pipe()
	go func() {
		for range 10 { // each part comes when the time of the one before is over
			time.Sleep(30 * time.Millisecond)
			fmt.Fprint(into, "0123456789")
		}
		_ = into.Close()
	}()
	response, err := http.Post("http://"+address, "", body)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || string(text) != "100 <nil>" {
		t.Errorf("%q, %v", text, err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestSlowDownload goes on for as long as parts of it are taken; one that is not read is cut off.
func TestSlowDownload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, make([]byte, 20<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	sent := make(chan int64, 1)
	stall := time.Minute
	address := serve(t, func(c *gin.Context) {
		f, err := os.Open(path)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		p := rest.NewPacedWriter(c, stall, t.Context())
		n, _ := p.ReadFrom(f)
		sent <- n
	})
	open := func() net.Conn {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		return conn
	}
	conn := open()
	defer conn.Close()
	time.Sleep(300 * time.Millisecond) // longer than the whole request may take
	text, err := io.ReadAll(conn)
	if err != nil || <-sent != 20<<20 || len(text) < 20<<20 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	stall = 50 * time.Millisecond
	unread := open()
	defer unread.Close()
	if n := <-sent; n >= 20<<20 {
		t.Errorf("%d bytes were sent to who reads nothing", n)
	}
}

// TestSlots: no token has more than half of them.
func TestSlots(t *testing.T) {
	s := newSlots(4)
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequest("GET", "/", nil)
	var leave []func()
	for range 2 {
		l, err := s.enter(c)
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, l)
	}
	if _, err := s.enter(c); !errors.Is(err, errTooMany) {
		t.Errorf("one more: %v", err)
	}
	leave[0]()
	if l, err := s.enter(c); err != nil {
		t.Error(err)
	} else {
		l()
	}
	leave[1]()
	if s.used != 0 || len(s.by) != 0 {
		t.Errorf("%+v", s)
	}
}
