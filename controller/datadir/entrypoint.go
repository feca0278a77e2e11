package datadir

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"lightd/desired"
	"lightd/observed/blueprint"
)

// Entrypoint returns the script that runs the startup command of s.
//
// With an init process in the container, a signal reaches the whole process group, and the
// container ends with its first shell: a shell that died of the signal would take down
// whatever still saves. So a shell with traps stays in front of all that may start others: it
// runs a trap only after its foreground command has ended, or in the midst of a wait (POSIX
// 2.11), and then stays until the other processes of the container have ended too.
//
// A simple command that is a program of its own takes the shell's place, and gets signals and
// gives its exit code directly. A script, or a shell with one, is such a program only where no
// init is in front of it: the kernel keeps signals from a first process that has no handler.
func Entrypoint(s desired.Spec) string {
	command := unixLines(s.StartupCommand)
	if rest, found := strings.CutPrefix(strings.TrimSpace(command), "exec "); found && s.Init && simple(rest) {
		command = rest // a script may need the shell in front
	}
	if simple(command) {
		command = strings.TrimSpace(command)
		program := strings.Fields(command)[0]
		switch {
		case !s.Init:
			return head + "exec " + command + "\n"
		case !shells[path.Base(program)]:
			return head + fmt.Sprintf(execProgram, program, command) + linger(s, command)
		}
	}
	return head + linger(s, command)
}

const head = "#!/bin/sh\n" +
	"# Written by lightd; changes are undone.\n" +
	"cd " + blueprint.Home + " || exit 1\n"

// execProgram gives its place to a program that is no script.
const execProgram = `lightd_file=$(command -v %[1]s) && { IFS= read -r lightd_line < "$lightd_file"; } 2>/dev/null
case ${lightd_line-} in '#!'*) ;; *) exec %[2]s ;; esac
`

// shells are programs that run others, and do not outlast a signal.
var shells = map[string]bool{"sh": true, "ash": true, "bash": true, "busybox": true, "dash": true, "ksh": true, "mksh": true, "zsh": true}

// How long a shell that ends stays for the other processes, in tenths of a second: as long as
// the grace of a stop may be, after a signal that asks for one, and a while after another
// signal, which is only known not to be for the shell. SIGKILL at the end of the grace cuts
// all of it short.
const (
	lingerStop  = 6000
	lingerOther = 100
)

// linger returns a shell that stays until what it started has ended. A command with traps of
// its own does not let the shell know of signals: it stays a while after each end.
//
// Processes of others, which were brought in by docker exec, are in sessions of their own
// below no parent that is seen here. Where the shell is neither the first process nor a child of it,
// the PID namespace is that of the host or of another container, which somebody else made this one
// share: all that has no parent left is a child of the first process there, so that the shell waits
// for nothing and signals nothing.
func linger(s desired.Spec, command string) string {
	stop := []int{2, 3, 15, 37}
	viaCommand, _ := s.Stop.CommandSignal()
	for _, name := range []string{s.Stop.Signal, viaCommand} {
		switch n, _ := desired.SignalNumber(name); n {
		case 0, 9, 13, 17, 23, 28: // cannot be caught, or comes in the course of things
		default:
			stop = append(stop, n)
		}
	}
	slices.Sort(stop)
	stop = slices.Compact(stop)
	var traps, all strings.Builder
	traps.Grow(512)
	all.WriteString("1 10 12")
	for _, n := range stop {
		fmt.Fprintf(&traps, "trap 'lightd_signal $? %d %d' %d\n", n, lingerStop, n)
		fmt.Fprintf(&all, " %d", n)
	}
	for _, n := range []int{1, 10, 12} {
		if !slices.Contains(stop, n) {
			fmt.Fprintf(&traps, "trap 'lightd_signal $? %d %d' %d\n", n, lingerOther, n)
		}
	}
	left, last, forward := 0, "", ""
	if ownTraps.MatchString(command) {
		left = lingerOther
	}
	if waits.MatchString(command) {
		last = lastJob
	}
	if s.Init {
		forward = forwardSignal
	}
	return fmt.Sprintf(lingering, left, forward, all.String(), last) + traps.String() + cmp.Or(command, ":") + "\n"
}

var (
	ownTraps = regexp.MustCompile(`\btrap\b`)
	waits    = regexp.MustCompile(`\bwait\b`)
)

// forwardSignal passes the signal on to a process that left the process group, which init does
// not reach.
const forwardSignal = `
		[ "$lightd_send" -gt 0 ] && [ "$3" != "$lightd_group" ] && kill "-$lightd_send" "$lightd_pid" 2>/dev/null`

// lastJob takes the exit code of what the shell waited for when the signal came.
const lastJob = `
	if [ "$lightd_sig" -gt 0 ] && [ "$lightd_status" -gt 128 ] && [ "$lightd_left" -gt 0 ] && [ -n "${!-}" ]; then
		wait "$!"
		lightd_job=$?
		[ $lightd_job -eq 127 ] || lightd_status=$lightd_job
	fi`

// lingering has places for the patience of the shell, forwardSignal, the signals that are trapped, and lastJob.
const lingering = `lightd_left=%d lightd_sig=0
lightd_signal() {
	lightd_sig=$2 lightd_left=$3
	exit "$1"
}
lightd_others() {
	lightd_found=1
	for lightd_file in /proc/[0-9]*; do
		lightd_pid=${lightd_file#/proc/}
		case $lightd_pid in 1 | $$) continue ;; esac
		{ read -r lightd_line < "$lightd_file/stat"; } 2>/dev/null || continue
		set -- ${lightd_line##*) }
		case $1 in Z | X) continue ;; esac
		case $2 in 1 | $$) ;; *) [ "$4" = "$lightd_session" ] || continue ;; esac
		lightd_found=0%s
	done
	return $lightd_found
}
lightd_exit() {
	lightd_status=$?
	{ set +efux; } 2>/dev/null
	trap - 0
	trap '' %s
	unset IFS
	{ read -r lightd_line < /proc/$$/stat; } 2>/dev/null
	set -- ${lightd_line##*) }
	lightd_group=$3 lightd_session=$4 lightd_send=$lightd_sig
	case $$:$PPID in 1:* | *:1) ;; *) lightd_left=0 ;; esac
	while [ "$lightd_left" -gt 0 ] && lightd_others; do
		lightd_send=0 lightd_left=$((lightd_left - 1))
		sleep 0.1 2>/dev/null || { sleep 1 && lightd_left=$((lightd_left - 9)); } || break
	done%s
	exit "$lightd_status"
}
trap lightd_exit 0
`
