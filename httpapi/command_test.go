package httpapi

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"lightd/hack/eventually"
	"lightd/httpapi/audit"
	"lightd/observed/status"
	"lightd/observed/stdin"
	"lightd/observed/streams"
)

// TestCommand: a command is a line for the program, whatever ends it, and where no program runs the answer
// has the state.
func TestCommand(t *testing.T) {
	n := newNode(t)
	n.create("web")
	n.create("off")
	n.record("off", func(st *status.Status) { st.State = status.StateOffline })
	console := n.scoped("console")
	for _, command := range []string{`say hi`, `say ho\n`, `a\nb`, `c\r\n`} {
		n.send("POST", "/containers/web/command", `{"command":"`+command+`"}`, console).want(t, 200, `{"internal_id":"web","message":"Command sent"}`)
	}
	if got := n.console.written.String(); got != "say hi\nsay ho\na\nb\nc\r\n" {
		t.Errorf("the program read %q", got)
	}
	a := n.send("POST", "/containers/off/command", `{"command":"x"}`).want(t, 409, "Container is not running")
	if a.json["code"] != "not_running" || a.json["state"] != "offline" {
		t.Errorf("refused with %s", a.text)
	}
	long := `{"command":"` + strings.Repeat("a", maxCommandBytes) + `"}`
	n.send("POST", "/containers/web/command", long).want(t, 200, "")
	for body, want := range map[string]string{
		`{}`:                                    "command is required",
		`[]`:                                    "command is required",
		`{"command":""}`:                        "command is required",
		`{"command":7}`:                         "command must be a string",
		`{"command":"a\u0000"}`:                 "NUL",
		`{"command":"x","now":true}`:            "now is not a known field",
		strings.Replace(long, "aaa", "aaaa", 1): "command must have at most 65536 bytes",
	} {
		n.send("POST", "/containers/web/command", body).want(t, 400, want)
	}
	n.send("POST", "/containers/nope/command", `{"command":"x"}`).want(t, 404, "Container not found")
	n.send("POST", "/containers/web/command", `{"command":"x"}`, n.token(`{"scopes":["console"],"containers":["off"]}`)).want(t, 404, "Container not found")
	n.send("POST", "/containers/web/command", `{"command":"x"}`, "If-Match: *").want(t, 400, "If-Match")
	for refusal, want := range map[error]int{
		stdin.ErrLineTooLong: 400, stdin.ErrPaused: 409, stdin.ErrTimeout: 503, streams.ErrClosed: 503, errors.New("the engine went away"): 503,
	} {
		n.console.refusal = fmt.Errorf("write to input of %q: %w", "web", refusal)
		answer := n.send("POST", "/containers/web/command", `{"command":"x"}`).want(t, want, "")
		if want == 400 {
			answer.want(t, 400, "command has a line of more than 4095 bytes, which a terminal (tty) would cut")
		}
	}
	if log := n.logs.String(); strings.Count(log, "command cannot be written") != 1 || !strings.Contains(log, "the engine went away") {
		t.Error("the operator is not told why, or is told of what is no fault")
	}
	if c, _ := n.store.Container("web"); c.Generation != 1 {
		t.Errorf("a command made the generation %d", c.Generation)
	}
}

// maxCommandBytes is the largest command.
const maxCommandBytes = 64 << 10

// TestCommandIsAudited: a command is console input in the audit, with its text only where that is configured.
func TestCommandIsAudited(t *testing.T) {
	for _, withText := range []bool{false, true} {
		n := newAudited(t, withText)
		n.create("web")
		n.create("off")
		n.lines()
		for _, command := range []string{"hello", "say canary"} {
			n.send("POST", "/containers/web/command", fmt.Sprintf(`{"command":%q}`, command)).want(t, 200, "")
		}
		n.send("POST", "/containers/off/command", `{"command":"late"}`).want(t, 409, "")
		n.send("POST", "/containers/web/command", `{"command":"no"}`, n.scoped("read")).want(t, 403, "")
		sums := map[string]int64{}
		texts := ""
		eventually.Poll(t, func() error {
			for _, l := range n.lines() {
				if l.Route != "/containers/:id/command" {
					continue
				}
				sums[fmt.Sprint(l.Event, " ", l.Action, " ", l.Container, " ", l.Code, " ", l.Status)] += l.Bytes
				texts += l.Text
			}
			if sums["input send_command web  200"] != 15 || sums["input send_command off not_running 409"] != 4 || len(sums) != 3 {
				return fmt.Errorf("lines %v", sums)
			}
			return nil
		})
		if _, denied := sums[string(audit.EventWrite)+"  web insufficient_scope 403"]; !denied {
			t.Errorf("no line of a token without the scope: %v", sums)
		}
		if want := map[bool]string{true: "hellosay canarylate"}[withText]; texts != want {
			t.Errorf("the text is %q", texts)
		}
		if strings.Contains(n.logs.String(), "canary") {
			t.Error("the log has the command")
		}
	}
}
