package plan_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

// ladder plays a stop of a process that heeds nothing, and returns each rung with its time and
// the message of its event. Restart replaces the daemon before each decision.
func ladder(t *testing.T, w *scenario, restart func(*scenario)) string {
	t.Helper()
	began, list := w.in.Now, []string{}
	for range 40 {
		if restart != nil {
			restart(w)
		}
		d := w.decide()
		for _, e := range d.Events {
			list = append(list, fmt.Sprintf("%s %s: %s", w.in.Now.Sub(began), e.Type, e.Message))
		}
		if d.Step == nil {
			w.in.Now = w.in.Now.Add(d.After)
			continue
		}
		request := w.in.Status.Stopping
		switch d.Step.Kind {
		case plan.StopContainer:
			request.Sent = true
		case plan.KillContainer:
			list = append(list, fmt.Sprintf("%s kill", w.in.Now.Sub(began)))
			return strings.Join(list, "\n")
		default:
			t.Fatalf("step %s", d.Step.Kind)
		}
		list = append(list, fmt.Sprintf("%s %s %s", w.in.Now.Sub(began), request.Rung, request.Signal))
	}
	t.Fatalf("no end: %s", list)
	return ""
}

// TestStopLadder: a stop climbs from the command to the signal to SIGKILL, each with its share
// of the timeout and each reported once.
func TestStopLadder(t *testing.T) {
	tests := map[string]struct {
		stop  desired.Stop
		image string // its STOPSIGNAL
		want  string
	}{
		"nothing specified": {desired.Stop{}, "",
			"0s Stopping: power is stopped (SIGTERM)\n0s signal SIGTERM\n10s Stopping: SIGKILL after 10s without an end\n10s kill"},
		"the image's signal": {desired.Stop{}, "3",
			"0s Stopping: power is stopped (SIGQUIT)\n0s signal SIGQUIT\n10s Stopping: SIGKILL after 10s without an end\n10s kill"},
		"an image's signal that freezes": {desired.Stop{}, "SIGSTOP",
			"0s Stopping: power is stopped (SIGTERM)\n0s signal SIGTERM\n10s Stopping: SIGKILL after 10s without an end\n10s kill"},
		"the spec's before the image's": {desired.Stop{Signal: "RTMIN+3"}, "SIGQUIT",
			"0s Stopping: power is stopped (SIGRTMIN+3)\n0s signal SIGRTMIN+3\n10s Stopping: SIGKILL after 10s without an end\n10s kill"},
		"a command": {desired.Stop{Command: "stop"}, "SIGQUIT",
			"0s Stopping: power is stopped (stop command)\n0s command \n" +
				"7.5s Stopping: SIGQUIT after 7.5s without an end\n7.5s signal SIGQUIT\n" +
				"10s Stopping: SIGKILL after 10s without an end\n10s kill"},
		"a command and a long time": {desired.Stop{Command: "stop", Signal: "SIGINT", Timeout: desired.Duration(time.Minute)}, "",
			"0s Stopping: power is stopped (stop command)\n0s command \n" +
				"55s Stopping: SIGINT after 55s without an end\n55s signal SIGINT\n" +
				"1m0s Stopping: SIGKILL after 1m0s without an end\n1m0s kill"},
		"a key": {desired.Stop{Command: "^C"}, "",
			"0s Stopping: power is stopped (SIGINT)\n0s command SIGINT\n" +
				"7.5s Stopping: SIGTERM after 7.5s without an end\n7.5s signal SIGTERM\n" +
				"10s Stopping: SIGKILL after 10s without an end\n10s kill"},
		"a key that is the signal": {desired.Stop{Command: "^C", Signal: "INT"}, "",
			"0s Stopping: power is stopped (SIGINT)\n0s signal SIGINT\n10s Stopping: SIGKILL after 10s without an end\n10s kill"},
	}
	restarts := map[string]func(*scenario){
		"one daemon": nil,
		"a daemon for each decision": func(w *scenario) { // only what is recorded is left
			data, err := json.Marshal(w.in.Status)
			if err != nil {
				t.Fatal(err)
			}
			w.in.Status = status.Status{}
			if err := json.Unmarshal(data, &w.in.Status); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, test := range tests {
		for how, restart := range restarts {
			t.Run(name+", "+how, func(t *testing.T) {
				w := newScenario(t, func(c *desired.Container) {
					run(c)
					c.Stop.Command, c.Stop.Signal = test.stop.Command, test.stop.Signal
					if test.stop.Timeout > 0 {
						c.Stop.Timeout = test.stop.Timeout
					}
				})
				w.in.Image = observed.Image{Known: true, Present: true, StopSignal: test.image}
				w.settle()
				w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
				if got := ladder(t, w, restart); got != test.want {
					t.Errorf("got\n%s\nwant\n%s", got, test.want)
				}
			})
		}
	}
}

// TestStopAfterTheDaemonWasDown: the next daemon continues with the next rung. It goes back to
// none and leaves none out, whenever it comes.
func TestStopAfterTheDaemonWasDown(t *testing.T) {
	stopping := func(t *testing.T, command string) *scenario {
		w := ready(t, func(c *desired.Container) { c.Stop.Command = command })
		w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
		w.decide()
		w.in.Status.Stopping.Sent = true
		return w
	}
	t.Run("the command was sent", func(t *testing.T) {
		w := stopping(t, "stop")
		w.in.Now = w.in.Now.Add(time.Hour)
		want := "0s Stopping: SIGTERM after 7.5s without an end\n0s signal SIGTERM\n2.5s Stopping: SIGKILL after 10s without an end\n2.5s kill"
		if got := ladder(t, w, nil); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
	t.Run("the command was not read", func(t *testing.T) {
		w := stopping(t, "stop")
		w.in.Status.Stopping.Sent, w.in.Status.Stopping.Unread = false, true
		w.in.Now = w.in.Now.Add(time.Second)
		want := "0s Stopping: SIGTERM as the stop command was not read\n0s signal SIGTERM\n9s Stopping: SIGKILL after 10s without an end\n9s kill"
		if got := ladder(t, w, nil); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
	t.Run("the signal was recorded and not sent", func(t *testing.T) {
		w := stopping(t, "stop")
		w.in.Now = w.in.Now.Add(8 * time.Second)
		w.decide()
		if d := w.decide(); d.Step == nil || d.Step.Kind != plan.StopContainer || w.in.Status.Stopping.Signal != "SIGTERM" || len(d.Events) > 0 {
			t.Errorf("got %+v, %+v, %v", d.Step, w.in.Status.Stopping, d.Events)
		}
	})
	// A record of before the rungs: {"run", "at", "timeout", "reason", "sent"}.
	for name, command := range map[string]string{"an older record of a command": "stop", "an older record of a signal": ""} {
		t.Run(name, func(t *testing.T) {
			w := stopping(t, command)
			request := w.in.Status.Stopping
			request.Rung, request.RungAt, request.Signal = "", time.Time{}, ""
			w.in.Now = w.in.Now.Add(time.Second)
			want := "9s Stopping: SIGKILL after 10s without an end\n9s kill"
			if command != "" {
				want = "6.5s Stopping: SIGTERM after 7.5s without an end\n6.5s signal SIGTERM\n" + want
			}
			if got := ladder(t, w, nil); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestMatchAfterAStopIsNone: what is to end does not become ready any more.
func TestMatchAfterAStopIsNone(t *testing.T) {
	w := ready(t, func(c *desired.Container) { c.StartPattern = "up" })
	w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
	w.decide()
	w.in.Status.Stopping.Sent = true
	w.in.Matched = true
	w.story()
	d := w.decide()
	if c := d.Status.Get(status.ProcessRunning); d.Status.State != status.StateStopping || c.Status != status.False || len(d.Events) > 0 {
		t.Errorf("it is %s, Running is %s (%s), events %v", d.Status.State, c.Status, c.Reason, d.Events)
	}
}

// TestEarlyExit: an end within the first second is recorded for the generation that was
// started, until a process has lasted longer, and not where the end was requested.
func TestEarlyExit(t *testing.T) {
	w := ready(t, nil)
	started := w.in.Spec.Generation
	early := func(after time.Duration) int64 {
		w.in.Now = w.in.Seen.Run.StartedAt.Add(after)
		w.die(w.in.Seen.Run, 1)
		return w.decide().Status.EarlyExit
	}
	if got := early(time.Minute); got != 0 {
		t.Errorf("after a minute: %d", got)
	}
	w.settle()
	if got := early(time.Second / 2); got != started {
		t.Errorf("after half a second: %d, want %d", got, started)
	}
	w.in.Now = w.in.Now.Add(time.Minute)
	w.settle()
	if got := early(time.Minute); got != 0 {
		t.Errorf("after another minute: %d", got)
	}
	w.in.Now = w.in.Now.Add(time.Minute)
	w.settle()
	w.change(func(c *desired.Container) { c.Power = desired.PowerStopped })
	w.decide()
	if got := early(0); got != 0 {
		t.Errorf("an end that was requested: %d", got)
	}
}

// TestStopWithAGrace: a stop may have another time than the spec's, and one in progress is given another.
func TestStopWithAGrace(t *testing.T) {
	begun := func(t *testing.T, grace time.Duration) *scenario {
		w := newScenario(t, run)
		w.settle()
		d := desired.Duration(grace)
		w.change(func(c *desired.Container) { c.Power, c.Grace = desired.PowerStopped, &d })
		return w
	}
	for grace, want := range map[time.Duration]string{
		time.Minute: "0s Stopping: power is stopped (SIGTERM)\n0s signal SIGTERM\n1m0s Stopping: SIGKILL after 1m0s without an end\n1m0s kill",
		time.Second: "0s Stopping: power is stopped (SIGTERM)\n0s signal SIGTERM\n1s Stopping: SIGKILL after 1s without an end\n1s kill",
	} {
		if got := ladder(t, begun(t, grace), nil); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	w := begun(t, time.Minute)
	w.decide()
	w.in.Now = w.in.Now.Add(20 * time.Second)
	sooner := desired.Duration(21 * time.Second)
	w.change(func(c *desired.Container) { c.Grace = &sooner })
	if got, want := ladder(t, w, nil), "kill"; !strings.Contains(got, "SIGKILL after 21s without an end") || !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s", got)
	}
	// A process that runs again has the time of its spec for whatever else ends it.
	w = newScenario(t, run)
	w.settle()
	w.change(func(c *desired.Container) { c.Grace = &sooner })
	if w.in.Spec.StopTimeout() != 10*time.Second {
		t.Errorf("%s", w.in.Spec.StopTimeout())
	}
}
