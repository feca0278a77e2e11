package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"lightd/hack/harness"
)

// browser is a headless Chromium, driven as W3C WebDriver describes. That is a handful of
// requests to chromedriver, which is installed along with Chromium and of its version.
type browser struct {
	t       testing.TB
	session string // its URL
}

var chromedriverListens = regexp.MustCompile(`started successfully on port (\d+)`)

// newBrowser starts a browser with a profile of its own; it ends with the test.
func newBrowser(t testing.TB) *browser {
	t.Helper()
	driver, err := exec.LookPath("chromedriver")
	if err != nil {
		t.Fatalf("this test needs Chromium and chromedriver, as `make browser` installs them: %v", err)
	}
	cmd := exec.Command(driver, "--port=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with the browser's many processes
	stdout := harness.Value[io.ReadCloser](t)(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	port, drained := make(chan string, 1), make(chan struct{})
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-drained
		_ = cmd.Wait()
	})
	go func() {
		defer close(drained)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if m := chromedriverListens.FindStringSubmatch(lines.Text()); m != nil {
				port <- m[1]
			}
		}
	}()
	b := &browser{t: t}
	select {
	case p := <-port:
		b.session = "http://127.0.0.1:" + p + "/session"
	case <-time.After(patience):
		t.Fatal("chromedriver does not listen")
	}
	var made struct{ SessionID string }
	// A machine that is busy may not have a browser started in the time that the driver gives it.
	poll(t, func() error {
		return b.try(http.MethodPost, "", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
			"goog:chromeOptions": map[string]any{"args": []string{
				"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
				"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1100,700", "--user-data-dir=" + t.TempDir(),
			}},
		}}}, &made)
	})
	b.session += "/" + made.SessionID
	t.Cleanup(func() { b.ask(http.MethodDelete, "", nil, nil) })
	return b
}

// ask sends a command and reads the value of its answer.
func (b *browser) ask(method, command string, body, value any) {
	b.t.Helper()
	if err := b.try(method, command, body, value); err != nil {
		b.t.Fatal(err)
	}
}

// try is ask, which may fail.
func (b *browser) try(method, command string, body, value any) error {
	var sent bytes.Buffer
	if method == http.MethodPost {
		if body == nil {
			body = struct{}{}
		}
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequest(method, b.session+command, &sent)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := web.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: the browser answers %s: %s", method, command, response.Status, data)
	}
	if err := json.Unmarshal(data, &struct{ Value any }{value}); err != nil {
		return fmt.Errorf("%s %s: %w: %s", method, command, err, data)
	}
	return nil
}

func (b *browser) open(url string) {
	b.t.Helper()
	b.ask(http.MethodPost, "/url", map[string]string{"url": url}, nil)
}

// element returns the path of an element's commands.
func (b *browser) element(css string) string {
	b.t.Helper()
	found := map[string]string{}
	b.ask(http.MethodPost, "/element", map[string]string{"using": "css selector", "value": css}, &found)
	for _, id := range found {
		return path.Join("/element", id)
	}
	b.t.Fatalf("no element %s", css)
	return ""
}

func (b *browser) click(css string) {
	b.t.Helper()
	b.ask(http.MethodPost, b.element(css)+"/click", nil, nil)
}

// enter replaces what is in a field, key by key.
func (b *browser) enter(css, text string) {
	b.t.Helper()
	e := b.element(css)
	b.ask(http.MethodPost, e+"/clear", nil, nil)
	b.ask(http.MethodPost, e+"/value", map[string]string{"text": text}, nil)
}

// run evaluates a JavaScript expression in the page.
func (b *browser) run(expression string) (text string) {
	b.t.Helper()
	b.ask(http.MethodPost, "/execute/sync", map[string]any{"script": "return String(" + expression + ")", "args": []any{}}, &text)
	return text
}

// until waits until an expression is as wanted, and returns its value.
func (b *browser) until(expression, what string, is func(string) bool) (text string) {
	b.t.Helper()
	poll(b.t, func() error {
		if text = b.run(expression); !is(text) {
			return fmt.Errorf("the page shows no %s, but %q; all of it is %q", what, text, b.run("document.body.innerText"))
		}
		return nil
	})
	return text
}

// shows waits for a text within an element.
func (b *browser) shows(css, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("document.querySelector(%q).textContent", css), text, func(s string) bool { return strings.Contains(s, text) })
}

// screenshot returns what is seen of the page, as a PNG.
func (b *browser) screenshot() []byte {
	b.t.Helper()
	var text string
	b.ask(http.MethodGet, "/screenshot", nil, &text)
	return harness.Value[[]byte](b.t)(base64.StdEncoding.DecodeString(text))
}
