package controller_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/simengine"
	"lightd/observed/status"
)

// TestStopIsRequestedOnce, in the way that the spec has, and is followed by a kill only when
// its time is up.
func TestStopIsRequestedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		stop desired.Stop
		init bool
		// read is what the program gets on its input, signals what the engine is to send.
		read, signals string
	}{
		"a signal to init":       {desired.Stop{Signal: "SIGINT"}, true, "", "SIGINT SIGKILL"},
		"a command":              {desired.Stop{Signal: "SIGINT", Command: "halt"}, true, "halt\n", "SIGINT SIGKILL"},
		"a command with an end":  {desired.Stop{Signal: "SIGINT", Command: "halt\n"}, true, "halt\n", "SIGINT SIGKILL"},
		"a signal without init":  {desired.Stop{Signal: "SIGINT"}, false, "", "SIGINT exec SIGKILL"},
		"the image's signal":     {desired.Stop{}, true, "", "SIGQUIT SIGKILL"},
		"a key":                  {desired.Stop{Command: "^C"}, true, "", "SIGINT SIGQUIT SIGKILL"},
		"a key without init":     {desired.Stop{Command: "^C", Signal: "RTMIN+3"}, false, "", "SIGINT exec SIGRTMIN+3 exec SIGKILL"},
		"a command without init": {desired.Stop{Command: "halt"}, false, "halt\n", "SIGQUIT exec SIGKILL"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				words := make(chan string, 8)
				sim.AddImage("quits:1", simengine.ImageConfig{StopSignal: "SIGQUIT"})
				sim.OnCommand("entrypoint.sh", func(ctx context.Context, p *simengine.Process) {
					go func() {
						word := make([]byte, 64)
						for {
							k, err := p.Stdin().Read(word)
							if err != nil {
								return
							}
							words <- string(word[:k])
						}
					}()
					_ = p.Signals() // and it does not care
					<-ctx.Done()
				})
				n.create("a", func(s *desired.Spec) {
					s.Power, s.Init, s.Image = desired.PowerRunning, c.init, "quits:1"
					s.Stop.Signal, s.Stop.Command = c.stop.Signal, c.stop.Command
				})
				n.waitState("a", status.StateRunning)
				n.change("a", requestStop)
				time.Sleep(5 * time.Second)
				if st, _ := n.statuses.Get("a"); st.State != status.StateStopping {
					t.Errorf("after 5 s it is %s", st.State)
				}
				time.Sleep(5 * time.Minute)
				if st, _ := n.statuses.Get("a"); st.State != status.StateOffline {
					t.Errorf("it is %s", st.State)
				}
				var sent []string
				for _, call := range sim.Calls() {
					switch call.Route {
					case "/containers/{id}/exec":
						sent = append(sent, "exec")
					case "/containers/{id}/kill":
						sent = append(sent, call.Query.Get("signal"))
					}
				}
				read := ""
				for len(words) > 0 {
					read += <-words
				}
				if got := strings.Join(sent, " "); got != c.signals || read != c.read {
					t.Errorf("sent %q, want %q; it read %q, want %q", got, c.signals, read, c.read)
				}
			})
		})
	}
}

// TestSignalThatWasNotSentIsSentAgain, soon: a failed request does not count.
func TestSignalThatWasNotSentIsSentAgain(t *testing.T) {
	for name, request := range map[string]func(*desired.Container){"a stop": requestStop, "a kill": requestKill} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sim *simengine.Sim, n *node) {
				n.create("a", func(s *desired.Spec) { s.Power = desired.PowerRunning })
				n.waitState("a", status.StateRunning)
				sim.Inject(simengine.Rule{Method: "POST", Route: "/containers/{id}/kill", Status: 500, Message: "no", Times: 1})
				n.change("a", request)
				began := time.Now()
				n.waitState("a", status.StateOffline)
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("ended after %s", took)
				}
			})
		})
	}
}
