package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"lightd/cmd/lightd/cliconfig"
	"lightd/cmd/lightd/manifest"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

func TestParsePort(t *testing.T) {
	for text, want := range map[string]desired.Port{
		"25565":                   {Port: 25565, Protocol: "tcp"},
		"0":                       {Protocol: "tcp"},
		"25565/udp":               {Port: 25565, Protocol: "udp"},
		"8080:80":                 {Port: 8080, ContainerPort: 80, Protocol: "tcp"},
		"127.0.0.1:8080":          {IP: "127.0.0.1", Port: 8080, Protocol: "tcp"},
		"127.0.0.1:8080:80/UDP":   {IP: "127.0.0.1", Port: 8080, ContainerPort: 80, Protocol: "udp"},
		"[::1]:8080:80":           {IP: "::1", Port: 8080, ContainerPort: 80, Protocol: "tcp"},
		"[2001:db8::1]:27015/udp": {IP: "2001:db8::1", Port: 27015, Protocol: "udp"},
	} {
		if got, err := parsePort(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "-1", "65536", "1.5", "1:2:3:4", "127.0.0.1:", "127.0.0.1", ":80", "80/sctp", "[::1]", "[::1", "::1:80", "80:", "80 "} {
		if got, err := parsePort(text); ExitCode(err) != ExitUsage {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
}

func TestParseRange(t *testing.T) {
	for text, want := range map[string]poolRange{
		"25565":                   {"0.0.0.0", 25565, 25565, "tcp"},
		"25565-25600":             {"0.0.0.0", 25565, 25600, "tcp"},
		"127.0.0.1:1-65535/udp":   {"127.0.0.1", 1, 65535, "udp"},
		"[::]:27015/udp":          {"::", 27015, 27015, "udp"},
		"192.168.0.1:80-80":       {"192.168.0.1", 80, 80, "tcp"},
		"[fe80::1]:5000-5001/tcp": {"fe80::1", 5000, 5001, "tcp"},
	} {
		got, err := parseRange(text)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
		if n := len(got.endpoints()); n != want.last-want.first+1 {
			t.Errorf("%s: %d ports", text, n)
		}
	}
	for _, text := range []string{"", "0", "5-3", "1-", "-5", "1-65536", "1-2-3", "8080:80", "80/x", "1-2/x"} {
		if got, err := parseRange(text); ExitCode(err) != ExitUsage {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
}

func refused(status int, sentence string, details ...api.Detail) error {
	code := map[int]string{400: "invalid"}[status]
	return &client.Error{Method: "GET", Path: "/containers/web", Status: status,
		Problem: api.Problem{Sentence: sentence, Code: cmp.Or(code, "a_word"), Details: details}}
}

// byOther is an answer of something else.
func byOther(status int) error {
	return &client.Error{Status: status, Problem: api.Problem{Sentence: "answered so"}}
}

func unmet(reason string) error {
	u := &client.WaitError{InternalID: "web"}
	u.For, u.Reason, u.Message = api.UntilRunning, "Exited", "exit code 1"
	if reason != "" {
		u.Reason, u.Message = api.ReasonTimeout, ""
	}
	return u
}

// TestErrors: the text for a user, and the exit code for a script.
func TestErrors(t *testing.T) {
	cases := []struct {
		err  error
		code int
		text string
	}{
		{nil, 0, ""},
		{errors.New("it broke\x1b[31m"), 1, `it broke\x1b[31m`},
		{usagef("get: %s", "no"), 2, "get: no"},
		{withSubject("web", refused(404, "Container not found")), 3, "web: Container not found"},
		{fmt.Errorf("more: %w", withSubject("web", refused(404, "Container not found"))), 3, "web: Container not found"},
		{withSubject("web", refused(409, "Port already in use", api.Detail{Field: "ports[0]", Message: "Port already in use: 0.0.0.0:1/tcp"})), 4, "web: ports[0]: Port already in use: 0.0.0.0:1/tcp"},
		{refused(409, "Port already in use", api.Detail{Field: "ports[0]", Message: "Port already in use: 1"}, api.Detail{Field: "ports[1]", Message: "Port already in use: 2"}), 4,
			"ports[0]: Port already in use: 1; ports[1]: Port already in use: 2"},
		{refused(409, "Port already in use", api.Detail{Field: "ports[0]", Message: "is bad"}), 4, "Port already in use; ports[0] is bad"},
		{refused(412, "Precondition failed"), 4, "Precondition failed"},
		{refused(400, "The request is not valid: a is bad", api.Detail{Field: "a", Message: "is bad"}, api.Detail{Field: "b", Message: "is worse"}), 1, "a is bad; b is worse"},
		{withSubject("web", refused(404, "Container not found", api.Detail{Message: `Container not found: "web"`})), 3, "web: Container not found"},
		{byOther(404), 5, "answered so"},
		{byOther(200), 5, "answered so"},
		{fmt.Errorf("%w \"x\"", cliconfig.ErrNoContext), 3, `there is no context "x"`},
		{refused(503, "The database does not answer"), 5, "The database does not answer"},
		{&client.TransportError{Method: "GET", Path: "/x", Err: errors.New("refused")}, 5, "the daemon cannot be reached: refused"},
		{&client.TransportError{Method: "GET", Path: "/x", Sent: true, Err: errors.New("broken pipe")}, 5, "the daemon did not answer: broken pipe"},
		{withSubject("web", unmet("Timeout")), 6, "web: not running in time"},
		{withSubject("web", unmet("")), 7, "web: will not be running by itself: Exited: exit code 1"},
		{withSubject("web", context.Canceled), 130, ""},
		{withSubject("web", &client.TransportError{Method: "GET", Path: "/x", Sent: true, Err: context.Canceled}), 130, ""},
		{Exit(4), 4, ""},
		{&manifest.Error{Faults: []manifest.Diagnostic{{File: "a.yaml", Line: 3, Path: "x", Message: "is not known"}, {File: "b.yaml", Message: "is\x00empty"}}}, 1, "a.yaml:3: x is not known\nb.yaml: is\\x00empty"},
	}
	for _, c := range cases {
		if code, text := ExitCode(c.err), Message(c.err); code != c.code || text != c.text {
			t.Errorf("%v: got %d %q, want %d %q", c.err, code, text, c.code, c.text)
		}
	}
}

// TestRefusalsHavePlaces: a refusal of the daemon is reported with file and line.
func TestRefusalsHavePlaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "all.yaml")
	if err := os.WriteFile(path, []byte("internal_id: a\nimage: x\n---\ninternal_id: b\nports:\n- port: 1\n- port: 2\n---\nvolumes:\n- volume_id: x\nports:\n- {ip: 0.0.0.0}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := manifest.Read([]string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = located(set, refused(409, "Port already in use",
		api.Detail{Field: "containers[1].ports[1]", Message: "Port already in use"}, api.Detail{Field: "containers[0]", Message: `is being deleted: "a"`}))
	if want := path + ":7: ports[1]: Port already in use\n" + path + ":1: a: is being deleted"; Message(err) != want || ExitCode(err) != ExitConflict {
		t.Errorf("got %d %q, want %q", ExitCode(err), Message(err), want)
	}
	err = located(set, refused(400, "The request is not valid",
		api.Detail{Field: "ports[0].port", Message: "or ports is required"}, api.Detail{Field: "volumes[0].volume_id", Message: "must be a UUID in lower case"}))
	if want := path + ":12: port or ports is required\n" + path + ":10: volume_id must be a UUID in lower case"; Message(err) != want {
		t.Errorf("got %q, want %q", Message(err), want)
	}
	for _, other := range []error{
		refused(400, "no", api.Detail{Field: "selector", Message: "is bad"}), refused(400, "no", api.Detail{Field: "containers[7].x", Message: "is bad"}),
		refused(401, "Unauthorized"), errors.New("x"),
	} {
		if got := located(set, other); got != other {
			t.Errorf("%v became %v", other, got)
		}
	}
}

// TestPieces: text is sent whole, whatever it is read in.
func TestPieces(t *testing.T) {
	const text = "größe 日本 😀\x10 end"
	for _, in := range []string{text, text + "\xe6", "\xff\xfe", "😀"[:3] + "x", ""} {
		p := pieces{in: iotest.OneByteReader(strings.NewReader(in))}
		var got bytes.Buffer
		for {
			piece, err := p.next()
			if !utf8.ValidString(piece) {
				t.Fatalf("%q is no text", piece)
			}
			got.WriteString(piece)
			if errors.Is(err, io.EOF) {
				break
			}
		}
		if want := strings.ToValidUTF8(in, "\ufffd"); strings.ReplaceAll(got.String(), "\ufffd", "") != strings.ReplaceAll(want, "\ufffd", "") {
			t.Errorf("%q: got %q", in, got.String())
		}
	}
}

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"0": "0", "1700000000": "1700000000", "0s": "2026-11-26T12:00:00Z", "10m": "2026-11-26T11:50:00Z", "7d": "2026-11-19T12:00:00Z",
		"2026-11-26T12:00:00+01:00": "2026-11-26T12:00:00+01:00", "": "", "-5m": "", "-5": "", "1.5": "", "soon": "",
	} {
		got, err := parseSince(text, now)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
}
