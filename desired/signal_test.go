package desired

import (
	"strconv"
	"testing"
)

// TestNormalSignal: every way in which Docker takes a signal becomes one name, and what is
// none stays what it is.
func TestNormalSignal(t *testing.T) {
	for in, want := range map[string]string{
		"SIGTERM": "SIGTERM", "term": "SIGTERM", "sigterm": "SIGTERM", "TERM": "SIGTERM", "15": "SIGTERM",
		"9": "SIGKILL", "kill": "SIGKILL", "IOT": "SIGABRT", "cld": "SIGCHLD", "SIGWINCH": "SIGWINCH",
		"SIGRTMIN+3": "SIGRTMIN+3", "RTMIN+3": "SIGRTMIN+3", "rtmin+3": "SIGRTMIN+3", "37": "SIGRTMIN+3",
		"34": "SIGRTMIN", "RTMIN": "SIGRTMIN", "RTMIN+0": "SIGRTMIN", "64": "SIGRTMAX", "RTMAX": "SIGRTMAX",
		"RTMAX-14": "SIGRTMAX-14", "50": "SIGRTMAX-14", "RTMIN+16": "SIGRTMAX-14", "49": "SIGRTMIN+15",
	} {
		got := NormalSignal(in)
		if _, ok := SignalNumber(in); !ok || got != want {
			t.Errorf("%q is %q (a signal: %t), want %q", in, got, ok, want)
		}
		if again := NormalSignal(got); again != got {
			t.Errorf("%q becomes %q when it is said again", got, again)
		}
	}
	for _, in := range []string{
		"", "SIG", "SIGFOO", "0", "-1", "32", "33", "65", "SIGSTOP", "19", "TSTP", "CONT", "18", "SIG15",
		"RTMIN+", "RTMIN-1", "RTMIN+31", "RTMIN++3", "RTMIN+-1", "RTMAX+1", "RTMAX-31", "RTMIN 3", " TERM", "TERM\n", "1e1",
	} {
		if n, ok := SignalNumber(in); ok {
			t.Errorf("%q parses as signal %d", in, n)
		}
	}
	for n := 1; n <= 64; n++ {
		name := NormalSignal(strconv.Itoa(n))
		if back, ok := SignalNumber(name); ok && back != n {
			t.Errorf("signal %d is named %s, which is %d", n, name, back)
		}
	}
}

// TestCommandSignal: what panels write for a signal is one, and no line for the program.
func TestCommandSignal(t *testing.T) {
	for command, want := range map[string]struct {
		signal, line string
		ok           bool
	}{
		"":              {"", "", true},
		"stop":          {"", "stop", true},
		"stop\r\n":      {"", "stop", true},
		"^C":            {"SIGINT", "", true},
		"^c\n":          {"SIGINT", "", true},
		"^^C":           {"SIGINT", "", true},
		`^\`:            {"SIGQUIT", "", true},
		"^SIGTERM":      {"SIGTERM", "", true},
		"^sigrtmin+3":   {"SIGRTMIN+3", "", true},
		"^SIGSTOP":      {"", "^SIGSTOP", false},
		"^Z":            {"", "^Z", false},
		"^D":            {"", "^D", false},
		"^shutdown now": {"", "^shutdown now", true},
		"say ^C":        {"", "say ^C", true},
	} {
		stop := Stop{Command: command}
		if signal, ok := stop.CommandSignal(); signal != want.signal || ok != want.ok || stop.Line() != want.line {
			t.Errorf("%q: signal %q (%t), line %q; want %+v", command, signal, ok, stop.Line(), want)
		}
	}
}
