package desired

import (
	"fmt"
	"strconv"
	"strings"
)

// DefaultStopSignal stops a process where neither its spec nor its image names a
// signal, as in Docker.
const DefaultStopSignal = "SIGTERM"

// The real-time signals as Docker counts them (those of glibc).
const (
	sigRTMin = 34
	sigRTMax = 64
)

// signalNumbers are Linux's numbers of the signals that can end a process or that a program
// can handle. SIGKILL is one of them: it is a stop without grace. Those that freeze a process
// or let it go on are not: SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU and SIGCONT.
var signalNumbers = map[string]int{
	"SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGILL": 4, "SIGTRAP": 5, "SIGABRT": 6, "SIGBUS": 7,
	"SIGFPE": 8, "SIGKILL": 9, "SIGUSR1": 10, "SIGSEGV": 11, "SIGUSR2": 12, "SIGPIPE": 13,
	"SIGALRM": 14, "SIGTERM": 15, "SIGSTKFLT": 16, "SIGCHLD": 17, "SIGURG": 23, "SIGXCPU": 24,
	"SIGXFSZ": 25, "SIGVTALRM": 26, "SIGPROF": 27, "SIGWINCH": 28, "SIGIO": 29, "SIGPWR": 30, "SIGSYS": 31,
}

// signalAliases are second names that Docker accepts.
var signalAliases = map[string]string{"SIGIOT": "SIGABRT", "SIGCLD": "SIGCHLD", "SIGPOLL": "SIGIO"}

// signalNames is signalNumbers read backwards, with the real-time signals.
var signalNames = func() map[int]string {
	names := make(map[int]string, len(signalNumbers)+sigRTMax-sigRTMin+1)
	for name, n := range signalNumbers {
		names[n] = name
	}
	for n := sigRTMin; n <= sigRTMax; n++ {
		names[n] = realTimeName(n)
	}
	return names
}()

// realTimeName counts from whichever end is nearer, as `kill -l` does.
func realTimeName(n int) string {
	switch up, down := n-sigRTMin, sigRTMax-n; {
	case up == 0:
		return "SIGRTMIN"
	case down == 0:
		return "SIGRTMAX"
	case up <= 15:
		return fmt.Sprintf("SIGRTMIN+%d", up)
	default:
		return fmt.Sprintf("SIGRTMAX-%d", down)
	}
}

// SignalNumber returns Linux's number of a signal, which may be written in every way that
// Docker takes: "SIGTERM", "term", "15", "RTMIN+3". ok is false for what is no signal, or
// none that can be sent to make a process end.
func SignalNumber(s string) (n int, ok bool) {
	name := "SIG" + strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if alias := signalAliases[name]; alias != "" {
		name = alias
	}
	if n, ok = signalNumbers[name]; ok {
		return n, true
	}
	if n, ok = realTimeNumber(name); ok {
		return n, true
	}
	if n, err := strconv.Atoi(s); err == nil {
		_, ok := signalNames[n]
		return n, ok
	}
	return 0, false
}

// realTimeNumber reads SIGRTMIN, SIGRTMIN+n, SIGRTMAX and SIGRTMAX-n.
func realTimeNumber(name string) (n int, ok bool) {
	base, sign := sigRTMin, "+"
	offset, found := strings.CutPrefix(name, "SIGRTMIN")
	if !found {
		base, sign = sigRTMax, "-"
		if offset, found = strings.CutPrefix(name, "SIGRTMAX"); !found {
			return 0, false
		}
	}
	if offset == "" {
		return base, true
	}
	if !strings.HasPrefix(offset, sign) || len(offset) < 2 || offset[1] < '0' || offset[1] > '9' {
		return 0, false
	}
	n, err := strconv.Atoi(offset)
	n += base
	return n, err == nil && n >= sigRTMin && n <= sigRTMax
}

// NormalSignal returns the one name of a signal that can be written in several ways, as in
// "SIGTERM" for "15", and s in upper case where it is none.
func NormalSignal(s string) string {
	if n, ok := SignalNumber(s); ok {
		return signalNames[n]
	}
	return strings.ToUpper(s)
}

// CommandSignal returns the signal that a stop command stands for in the notation of game
// panels, which is not a line for the program's input: "^C" (also "^^C") is SIGINT and "^\"
// SIGQUIT, as the keys of a terminal are, and "^SIGTERM" is that signal. It is empty for a
// line; ok is false for another control key and for a signal that does not exist.
func (s Stop) CommandSignal() (signal string, ok bool) {
	key, caret := strings.CutPrefix(strings.TrimRight(s.Command, "\r\n"), "^")
	if !caret {
		return "", true
	}
	key = strings.TrimPrefix(key, "^")
	switch {
	case key == "C", key == "c":
		return "SIGINT", true
	case key == `\`:
		return "SIGQUIT", true
	case len(key) == 1:
		return "", false
	}
	if !strings.HasPrefix(strings.ToUpper(key), "SIG") {
		return "", true
	}
	n, ok := SignalNumber(key)
	return signalNames[n], ok
}

// Line returns what the stop command is as a line of input without its end, empty when there
// is none.
func (s Stop) Line() string {
	if signal, _ := s.CommandSignal(); signal != "" {
		return ""
	}
	return strings.TrimRight(s.Command, "\r\n")
}
