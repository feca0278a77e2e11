package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"lightd/cmd/lightd/check"
	"lightd/cmd/lightd/terminal"
	"lightd/hack/harness"
)

// wired is a daemon without an engine, in this process.
type wired struct {
	t    *testing.T
	dir  string
	env  map[string]string
	urls []string
	pin  string // of the certificate
	key  string // the pin of its public key
	log  *harness.Buffer
}

// newWired starts a daemon with a file of settings; DIR in it is the daemon's directory.
func newWired(t *testing.T, settings string) *wired {
	t.Helper()
	w := &wired{t: t, dir: t.TempDir(), log: &harness.Buffer{}}
	file := filepath.Join(w.dir, "lightd.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(settings, "DIR", w.dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.env = map[string]string{"HOME": w.dir, "LIGHTD_DATA_DIR": filepath.Join(w.dir, "data"), "LIGHTD_CONFIG": file, "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"serve"}, func(k string) string { return w.env[k] }, in, w.log)
		_ = in.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the daemon said:\n%s", w.log)
		}
	})
	line := make([]byte, 4096)
	n, err := out.Read(line)
	match := regexp.MustCompile(`^lightd dev accepts requests on (.*?)(?: \(certificate SHA-256 ([0-9a-f]{64}), curl -k --pinnedpubkey (sha256//[0-9A-Za-z+/]{43}=)\))?\n$`).FindSubmatch(line[:n])
	if match == nil {
		t.Fatalf("%v %q\n%s", err, line[:n], w.log)
	}
	w.urls, w.pin, w.key = strings.Split(string(match[1]), ", "), string(match[2]), string(match[3])
	return w
}

// lightd runs a command, and returns what it printed and its exit code.
func (w *wired) lightd(args ...string) (printed string, code int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	var out bytes.Buffer
	streams := terminal.Streams{In: strings.NewReader(""), Out: &out, Err: &out}
	getenv := func(k string) string { return w.env[k] }
	err := execute(ctx, rootCommand(getenv, streams), args)
	if err != nil {
		fmt.Fprintln(&out, err)
		code = 1
	}
	return out.String(), code
}

func (w *wired) want(text string, args ...string) {
	w.t.Helper()
	if printed, code := w.lightd(args...); code != 0 || !strings.Contains(printed, text) {
		w.t.Errorf("lightd %s: exit code %d, and no %q in:\n%s", strings.Join(args, " "), code, text, printed)
	}
}

func (w *wired) refused(text string, args ...string) {
	w.t.Helper()
	if printed, code := w.lightd(args...); code == 0 || !strings.Contains(printed, text) {
		w.t.Errorf("lightd %s: exit code %d, want a refusal with %q:\n%s", strings.Join(args, " "), code, text, printed)
	}
}

func (w *wired) token() string {
	w.t.Helper()
	return strings.TrimSpace(string(harness.Value[[]byte](w.t)(os.ReadFile(filepath.Join(w.dir, "data", "token")))))
}

// TestSelfSigned: a certificate is made once; the commands of this machine pin it by themselves, a context
// with --pin, and one with another pin reaches nothing. HTTP/2 and WebSockets work.
func TestSelfSigned(t *testing.T) {
	t.Parallel()
	w := newWired(t, "listen: 127.0.0.1:0\ntls: {self_signed: true}\nhosts: [node-1.example.com, '*.nodes.example.com', 192.0.2.7]\n")
	if len(w.urls) != 1 || !strings.HasPrefix(w.urls[0], "https://127.0.0.1:") || w.pin == "" {
		t.Fatalf("it listens on %q, with the fingerprint %q", w.urls, w.pin)
	}
	w.env["LIGHTD_LISTEN"] = strings.TrimPrefix(w.urls[0], "https://")
	w.want("", "port", "list")
	w.want("lightd_", "token", "create", "--ttl", "1h")

	file := filepath.Join(w.dir, "data", "token")
	colons := regexp.MustCompile("..").ReplaceAllString(strings.ToUpper(w.pin), "$0:")
	w.want("", "context", "set", "pinned", "--server", w.urls[0], "--token-file", file, "--pin", strings.TrimSuffix(colons, ":"))
	w.want("", "context", "set", "wrong", "--server", w.urls[0], "--token-file", file, "--pin", strings.Repeat("0", 64))
	w.want("", "context", "set", "bare", "--server", w.urls[0], "--token-file", file)
	w.want("", "port", "list", "--context", "pinned")
	w.refused("not the one that is pinned: it is "+w.pin, "port", "list", "--context", "wrong")
	w.refused("--pin SHA256", "port", "list", "--context", "bare")
	w.refused("https://", "context", "set", "plain", "--server", "http://x", "--pin", w.pin)
	w.refused("64 hexadecimal digits", "context", "set", "bare", "--pin", "nonsense")
	w.refused("--pin is empty", "context", "set", "pinned", "--pin=")
	w.want("", "port", "list", "--context", "pinned")
	w.want("", "context", "set", "unpinned", "--server", w.urls[0], "--token-file", file, "--pin", w.pin)
	w.want("", "context", "set", "unpinned", "--pin", "none")
	w.refused("--pin SHA256", "port", "list", "--context", "unpinned")
	w.refused("for curl", "context", "set", "bare", "--pin", w.key)
	for key, reached := range map[string]bool{w.key: true, "sha256//" + strings.Repeat("A", 43) + "=": false} {
		answer, err := exec.CommandContext(t.Context(), "curl", "-sk", "--noproxy", "*", "--pinnedpubkey", key, w.urls[0]+"/healthz").CombinedOutput()
		if (err == nil) != reached {
			t.Errorf("curl with the pin %s: %v %s", key, err, answer)
		}
	}

	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport}
	answer := harness.Value[*http.Response](t)(c.Get(w.urls[0] + "/healthz"))
	_ = answer.Body.Close()
	if answer.ProtoMajor != 2 || answer.StatusCode != 200 || answer.TLS.Version < tls.VersionTLS12 {
		t.Errorf("got %s over %s", answer.Status, answer.Proto)
	}
	for _, name := range []string{"localhost", "127.0.0.1", "node-1.example.com", "a.nodes.example.com", "192.0.2.7"} {
		if err := answer.TLS.PeerCertificates[0].VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	conn, _, err := websocket.Dial(t.Context(), w.urls[0]+"/ws", &websocket.DialOptions{HTTPClient: c, HTTPHeader: http.Header{"Authorization": {"Bearer " + w.token()}}})
	if err != nil {
		t.Fatalf("a WebSocket beside HTTP/2: %v", err)
	}
	_ = conn.CloseNow()
	old := transport.Clone()
	old.TLSClientConfig.MaxVersion = tls.VersionTLS11
	if _, err := (&http.Client{Transport: old}).Get(w.urls[0] + "/healthz"); err == nil {
		t.Error("TLS 1.1 is accepted")
	}
}

// TestSeveralListeners: a unix socket, plain HTTP on loopback and TLS at once.
func TestSeveralListeners(t *testing.T) {
	t.Parallel()
	w := newWired(t, "listen: ['unix://DIR/l.sock', 'http://127.0.0.1:0', 'https://127.0.0.1:0']\ntls: {self_signed: true}\n")
	if len(w.urls) != 3 || !strings.HasPrefix(w.urls[0], "unix:///") || !strings.HasPrefix(w.urls[1], "http://") || !strings.HasPrefix(w.urls[2], "https://") {
		t.Fatalf("it listens on %q", w.urls)
	}
	w.want("", "port", "list") // over the unix socket
	w.want("", "port", "list", "--server", w.urls[1])
	w.want("", "port", "add", "0.0.0.0:19100")
	w.want("19100", "port", "list", "--server", w.urls[0])
	w.want("", "context", "set", "sock", "--server", w.urls[0], "--token-file", filepath.Join(w.dir, "data", "token"))
	w.want("19100", "port", "list", "--context", "sock")
	w.env["LIGHTD_TOKEN"] = "lightd_0123456789012345"
	w.refused("does not accept the token", "port", "list", "--server", w.urls[0])
}

// TestMutualTLS: without a certificate of the authority there is no connection, with one a token is needed
// all the same.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	ca, client := authority(t)
	w := newWired(t, "listen: ['http://127.0.0.1:0', 'https://127.0.0.1:0']\ntls: {self_signed: true, client_ca: "+ca+"}\n")
	set := []string{"context", "set", "c", "--server", w.urls[1], "--token-file", filepath.Join(w.dir, "data", "token"), "--pin", w.pin}
	w.want("", set...)
	w.refused("", "port", "list", "--context", "c") // what is seen of it depends on who writes first
	w.want("", append(set, "--client-cert", client+".pem", "--client-key", client+".key")...)
	w.want("", "port", "list", "--context", "c")
	w.env["LIGHTD_TOKEN"] = "lightd_0123456789012345"
	w.refused("does not accept the token", "port", "list", "--context", "c", "--token", "lightd_0123456789012345")
}

// authority makes an authority and a client's certificate, and returns the file of the one, and the other's
// without an extension.
func authority(t *testing.T) (ca, client string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := harness.Value[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "billing"}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	ca = write("ca.pem", "CERTIFICATE", harness.Value[[]byte](t)(x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)))
	client = filepath.Join(dir, "client")
	write("client.pem", "CERTIFICATE", harness.Value[[]byte](t)(x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), key)))
	write("client.key", "PRIVATE KEY", harness.Value[[]byte](t)(x509.MarshalPKCS8PrivateKey(key)))
	return ca, client
}

// TestPlainHTTPBeyondLoopbackIsRefused at the start, with the three ways out, and nothing is made.
func TestPlainHTTPBeyondLoopbackIsRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	stdout, stderr, code := call(t, nil, "serve", "--data-dir", dir, "--listen", "0.0.0.0:0", "--docker-host", "unix:///nonexistent")
	for _, way := range []string{"tls.cert", "tls.self_signed: true", "127.0.0.1", "unix socket", "insecure_plain_http: true"} {
		if code != 2 || !strings.Contains(strings.Join(strings.Fields(stderr), " "), way) {
			t.Errorf("exit code %d, and no %s in %s%s", code, way, stdout, stderr)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("it made its data directory")
	}
	w := newWired(t, "listen: 0.0.0.0:0\ninsecure_plain_http: true\n")
	if !strings.Contains(w.log.String(), "insecure_plain_http") {
		t.Error("the log has no warning")
	}
}

// TestCheckRefusesWhatServeRefuses: with what the daemon does not start, check finds a fault, and both say where
// in the settings it is. A running daemon of another data directory has its port, and is not taken for ours.
func TestCheckRefusesWhatServeRefuses(t *testing.T) {
	t.Parallel()
	other := newWired(t, "listen: 127.0.0.1:0\ntls: {self_signed: true}\n")
	_, port, _ := strings.Cut(strings.TrimPrefix(other.urls[0], "https://"), ":")
	for text, want := range map[string]string{
		"listen: 127.0.0.1:0\ntls:\n  self_signed: true\n  client_ca: /etc/hostname\n": "l.yaml:4: tls.client_ca: read certificate authorities: /etc/hostname holds no certificate",
		"listen: 127.0.0.1:0\ntls:\n  cert: /nonexistent/c\n  key: /nonexistent/k\n":   "l.yaml:3: tls.cert: read certificate: open /nonexistent/c",
		"listen: ['0.0.0.0:8553', '127.0.0.1:8553']\ninsecure_plain_http: true\n":      "l.yaml:1: listen: \"0.0.0.0:8553\" and \"127.0.0.1:8553\" are one port twice",
		"listen:\n- 127.0.0.1:0\n- 203.0.113.9:8443\ninsecure_plain_http: true\n":      "l.yaml:3: listen: cannot accept requests on 203.0.113.9:8443: this machine does not have that address",
		"listen: ['unix:///nodir/x.sock']\n":                                           "l.yaml:1: listen: cannot accept requests on /nodir/x.sock: the directory /nodir does not exist",
		"listen: 127.0.0.1:" + port + "\n":                                             "l.yaml:1: listen: cannot accept requests on 127.0.0.1:" + port + ": another program listens there",
	} {
		file := filepath.Join(t.TempDir(), "l.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		settings := []string{"--config", file, "--data-dir", filepath.Join(t.TempDir(), "data"), "--docker-host", "unix:///nonexistent"}
		_, stderr, code := call(t, nil, append([]string{"serve"}, settings...)...)
		if got := strings.Join(strings.Fields(stderr), " "); code == 0 || !strings.Contains(got, want) {
			t.Errorf("serve with %q: exit code %d: %s", text, code, got)
		}
		stdout, stderr, code := call(t, nil, append([]string{"check", "-o", "json"}, settings...)...)
		if code == 2 && strings.Contains(strings.Join(strings.Fields(stderr), " "), want) {
			continue // a mistake of the file alone
		}
		var items []check.Item
		if err := json.Unmarshal([]byte(stdout), &items); err != nil || code != 1 {
			t.Fatalf("check with %q: exit code %d: %v %s%s", text, code, err, stdout, stderr)
		}
		if !slices.ContainsFunc(items, func(i check.Item) bool {
			return i.Verdict == check.Fault && strings.Contains(i.Text, want) && !strings.Contains(i.Remedy, "root")
		}) || strings.Contains(stdout, "pinned") {
			t.Errorf("check with %q has no fault %q: %s", text, want, stdout)
		}
	}
}

// TestReadableTokenFile draws a warning, a private one none.
func TestReadableTokenFile(t *testing.T) {
	t.Parallel()
	for mode, warned := range map[os.FileMode]bool{0o644: true, 0o600: false} {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte("lightd_0123456789012345\n"), mode); err != nil {
			t.Fatal(err)
		}
		w := newWired(t, "listen: 127.0.0.1:0\ntoken_file: "+file+"\n")
		if got := strings.Contains(w.log.String(), "level=WARN msg=\"a file with a token or a secret is readable by every user"); got != warned {
			t.Errorf("mode %o: warned is %v", mode, got)
		}
		settings := filepath.Join(t.TempDir(), "lightd.yaml")
		if err := os.WriteFile(settings, []byte("token: lightd_0123456789012345\nlisten: ['http://0.0.0.0:0']\n"), mode); err != nil {
			t.Fatal(err)
		}
		// It ends with a refusal, after the warning.
		_, stderr, _ := call(t, nil, "serve", "--config", settings, "--data-dir", t.TempDir())
		if got := strings.Contains(stderr, "the configuration, which has a token or a secret, is readable"); got != warned {
			t.Errorf("a configuration of mode %o: warned is %v: %s", mode, got, stderr)
		}
	}
}

// TestForeignHosts: a page whose name was rebound to this machine reads nothing, with or without a token;
// what is configured is served.
func TestForeignHosts(t *testing.T) {
	t.Parallel()
	w := newWired(t, "listen: 127.0.0.1:0\nhosts: [panel.example.com]\n")
	for host, want := range map[string]int{
		"evil.example": 421, "panel.example.com": 200, "localhost": 200, "127.0.0.1": 200, "192.0.2.1": 421,
	} {
		for _, path := range []string{"/containers", "/healthz"} {
			r := harness.Value[*http.Request](t)(http.NewRequest("GET", w.urls[0]+path, nil))
			r.Host = host
			r.Header.Set("Authorization", "Bearer "+w.token())
			answer := harness.Value[*http.Response](t)(http.DefaultClient.Do(r))
			body := harness.Value[[]byte](t)(io.ReadAll(answer.Body))
			_ = answer.Body.Close()
			if answer.StatusCode != want || want == 421 && (!strings.Contains(string(body), `"code":"unknown_host"`) || answer.Header.Get("X-Request-Id") == "") {
				t.Errorf("%s%s: %s %s", host, path, answer.Status, body)
			}
		}
	}
}

// TestGuessing: an address whose tokens fail is limited, and whoever had a token that was accepted goes on.
func TestGuessing(t *testing.T) {
	t.Parallel()
	w := newWired(t, "listen: [127.0.0.1:0, 'unix://DIR/l.sock']\n")
	ask := func(token string) *http.Response {
		r := harness.Value[*http.Request](t)(http.NewRequest("GET", w.urls[0]+"/containers", nil))
		r.Header.Set("Authorization", "Bearer "+token)
		answer := harness.Value[*http.Response](t)(http.DefaultClient.Do(r))
		_ = answer.Body.Close()
		return answer
	}
	if got := ask(w.token()).StatusCode; got != 200 {
		t.Fatal(got)
	}
	statuses := map[int]int{}
	for i := range 100 {
		answer := ask(fmt.Sprintf("lightd_guess_%020d", i))
		statuses[answer.StatusCode]++
		if answer.StatusCode == 429 && answer.Header.Get("Retry-After") == "" {
			t.Error("a 429 does not say when to come again")
		}
	}
	if statuses[401] < 20 || statuses[429] < 40 || statuses[401]+statuses[429] != 100 {
		t.Errorf("guesses are answered with %v", statuses)
	}
	if got := ask(w.token()).StatusCode; got != 200 {
		t.Errorf("the token that was accepted before is answered with %d", got)
	}
	w.want("", "port", "list", "--server", w.urls[1]) // over the unix socket
	if !strings.Contains(w.log.String(), "authentication fails too often") {
		t.Error("the log has no warning")
	}
}

// TestWarnsOfHostPorts: ports of the machine that containers should not reach are named at the start.
func TestWarnsOfHostPorts(t *testing.T) {
	t.Parallel()
	for ports, warns := range map[string]string{"1-65535": "every tcp port", "8000-8100": "the daemon's own API", "53/udp": ""} {
		w := newWired(t, "listen: ['127.0.0.1:0', 'unix://DIR/l.sock']\nnetwork: {allow_host_ports: ['"+ports+"']}\n")
		if ports == "8000-8100" {
			cfg := config{Listen: "127.0.0.1:8070", Network: network{AllowHostPorts: []string{ports}}}
			cfg.warnHostPorts(t.Context(), cfg.logger(w.log))
		}
		if got := w.log.String(); warns == "" == strings.Contains(got, "containers may reach") || !strings.Contains(got, warns) {
			t.Errorf("%s: %s", ports, got)
		}
	}
}
