package controller_test

import (
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// check holds what is so at all times.
func (w *world) check() {
	w.checkPrograms()
	w.checkContainers()
	w.checkVolumes()
	if !w.up {
		return
	}
	w.checkWrites()
	w.checkEvents()
	for _, c := range w.store.Containers() {
		st, _ := w.statuses.Get(c.InternalID)
		w.checkReceipt(c, st)
	}
}

// checkPrograms: no script twice for one request, no more starts than there are causes.
func (w *world) checkPrograms() {
	w.mu.Lock()
	problems, ran := slices.Clone(w.problems), map[string]int{}
	for _, s := range w.scripts {
		ran[s.key()]++
	}
	starts := map[string]int{}
	for volume, n := range w.starts {
		starts[volume] = n
	}
	w.mu.Unlock()
	for _, p := range problems {
		w.fail(p, "")
	}
	for which, n := range ran {
		if n > 1+w.reruns[which] {
			w.fail("a script ran twice for one request", "%s: %d times", which, n)
		}
	}
	for id, b := range w.books {
		if n := starts[b.volume]; n > b.causes {
			w.fail("more starts than reasons for one", "%s: %d starts, %d causes", id, n, b.causes)
		}
	}
}

// checkContainers: one container of a role for each id, no port at two, nothing touched that
// is not ours.
func (w *world) checkContainers() {
	type holder struct {
		id string
		at desired.Endpoint
	}
	have, held := map[string]string{}, []holder{}
	for _, name := range w.sim.Names() {
		c, err := w.sim.Inspect(name)
		if err != nil || !w.ours(c) {
			continue
		}
		id := c.Config.Labels[observed.LabelID]
		what := id + " " + c.Config.Labels[observed.LabelRole]
		if other := have[what]; other != "" {
			w.fail("two containers of one id", "%s: %s and %s", what, other, name)
		}
		have[what] = name
		for _, e := range bound(c) {
			for _, h := range held {
				if h.id != id && h.at.Overlaps(e) {
					w.fail("a port is held by two", "%s by %s and %s", e, h.id, id)
				}
			}
			held = append(held, holder{id, e})
		}
	}
	for name, was := range w.foreign {
		c, err := w.sim.Inspect(name)
		if err != nil || fingerprint(c) != was {
			w.fail("a foreign container was touched", "%s: %q, then %q, %v", name, was, fingerprint(c), err)
		}
	}
}

// bound are the host's ports that a container was made with.
func bound(c container.InspectResponse) []desired.Endpoint {
	var all []desired.Endpoint
	for inside, outside := range c.HostConfig.PortBindings {
		for _, b := range outside {
			port, _ := nat.ParsePort(b.HostPort)
			all = append(all, desired.Endpoint{IP: b.HostIP, Port: port, Protocol: desired.Protocol(inside.Proto())})
		}
	}
	return all
}

// checkVolumes: data goes by a deletion of its volume only.
func (w *world) checkVolumes() {
	for id := range w.kept {
		if text, err := os.ReadFile(w.precious(id)); err != nil || string(text) != "precious" {
			w.fail("data of a volume is lost", "%s: %q, %v", id, text, err)
		}
	}
}

// checkWrites: what was acknowledged is there, and nothing else; claims on ports do not overlap.
func (w *world) checkWrites() {
	all := w.store.Containers()
	for i, c := range all {
		b := w.books[c.InternalID]
		if b == nil {
			w.fail("a container without a request", "%s", c.InternalID)
		}
		want := b.acked
		if c.Generation != want.Generation || c.Requests != want.Requests || c.Kill != want.Kill ||
			c.Deleting != want.Deleting || !reflect.DeepEqual(c.Spec, want.Spec) {
			w.fail("an acknowledged write is lost", "%s: have %+v, want %+v", c.InternalID, c, want)
		}
		for _, other := range all[:i] {
			for _, p := range slices.Concat(c.Ports, c.Releasing) {
				for _, q := range slices.Concat(other.Ports, other.Releasing) {
					if p.Endpoint().Overlaps(q.Endpoint()) {
						w.fail("a port is claimed by two", "%s by %s and %s", p.Endpoint(), c.InternalID, other.InternalID)
					}
				}
			}
		}
	}
	for id, b := range w.books {
		if _, exists := w.store.Container(id); !exists {
			if !b.acked.Deleting {
				w.fail("a container is lost", "%s", id)
			}
			delete(w.books, id)
		}
	}
}

// checkEvents: each is reported once and stays, numbers grow, the order is that of the contract.
func (w *world) checkEvents() {
	var all []journal.Event
	for after := uint64(0); ; {
		page, _, err := w.journal.Page("", after, 1000)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, page...)
		if len(page) < 1000 {
			break
		}
		after = page[len(page)-1].Seq
	}
	for i, e := range all {
		if i > 0 && e.Seq <= all[i-1].Seq {
			w.fail("a seq does not grow", "%d after %d", e.Seq, all[i-1].Seq)
		}
		if i < len(w.events) && e != w.events[i] {
			w.fail("an event was changed", "%+v, then %+v", w.events[i], e)
		}
		if i >= len(w.events) {
			w.note("    %s %s %s", e.InternalID, e.Type, e.Message)
			if w.calm {
				w.checkCalm(e)
			}
		}
	}
	if len(all) < len(w.events) {
		w.fail("events are lost", "%d, then %d", len(w.events), len(all))
	}
	if len(all) > len(w.events) {
		w.events = all
		w.checkOrder()
	}
}

// checkCalm: no event reports what only an external change can have done.
func (w *world) checkCalm(e journal.Event) {
	switch e.Type {
	case journal.ContainerLost, journal.DriftDetected, journal.BackOff, journal.OOMKilled:
		w.fail("reported what the daemon did itself", "%+v", e)
	}
	if strings.Contains(e.Message, "somebody else") || strings.Contains(e.Message, "not seen") {
		w.fail("reported what the daemon did itself", "%+v", e)
	}
}

// checkOrder holds the order of the events of each container from its creation to its end.
func (w *world) checkOrder() {
	open := map[string][]journal.Type{}
	for _, e := range w.events {
		open[e.InternalID] = append(open[e.InternalID], e.Type)
		if e.Type == journal.Deleted {
			w.checkRuns(e.InternalID, open[e.InternalID])
			delete(open, e.InternalID)
		}
	}
	for id, types := range open {
		w.checkRuns(id, types)
	}
}

func (w *world) checkRuns(id string, types []journal.Type) {
	var ran strings.Builder
	var installs []string
	count := map[journal.Type]int{}
	for _, t := range types {
		count[t]++
		switch t {
		case journal.Starting, journal.Running, journal.Stopping, journal.Exited:
			ran.WriteString(string(t) + " ")
		case journal.Started:
			installs = append(installs, "Started")
		case journal.CreatingContainer, journal.ContainerCreated, journal.RunningInstallScript, journal.InstallScriptComplete,
			journal.SettingUpEntrypoint, journal.Ready:
			if len(installs) == 0 {
				w.fail("reported before Started", "%s: %v", id, types)
			}
			installs[len(installs)-1] += " " + string(t)
		}
	}
	if !process.MatchString(ran.String()) {
		w.fail("the events of the process are out of order", "%s: %s", id, &ran)
	}
	for _, emitted := range installs {
		if !strings.HasPrefix(wholeInstall, emitted) && !strings.HasPrefix(noScript, emitted) {
			w.fail("the events of an installation are out of order", "%s: %s", id, emitted)
		}
	}
	if count[journal.Deleting] > 1 || count[journal.Deleted] > count[journal.Deleting] {
		w.fail("a deletion is reported twice, or not at all", "%s: %v", id, types)
	}
}

// checkReceipt: an observed generation is realized. Without external changes that can be checked
// at any time.
func (w *world) checkReceipt(c desired.Container, st status.Status) {
	b := w.books[c.InternalID]
	if st.ObservedGeneration > c.Generation || st.ObservedGeneration < b.dealt {
		w.fail("the receipt is of no generation that was", "%s: %d of %d, after %d", c.InternalID, st.ObservedGeneration, c.Generation, b.dealt)
	}
	b.dealt = st.ObservedGeneration
	if wrong := contradiction(st); wrong != "" {
		w.fail("a status contradicts itself", "%s: %s", c.InternalID, wrong)
	}
	if st.Get(status.Installed).Reason == status.ReasonInstallInterrupted && !b.spoilt {
		w.fail("an undisturbed installation was interrupted", "%s", c.InternalID)
	}
	if !w.calm || st.ObservedGeneration != c.Generation {
		return
	}
	if wrong := w.untrue(c, st); wrong != "" {
		w.fail("a generation is observed and not realized", "%s: %s; status %+v", c.InternalID, wrong, st)
	}
}
