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
func (h *history) check() {
	h.checkPrograms()
	h.checkContainers()
	h.checkVolumes()
	if !h.up {
		return
	}
	h.checkWrites()
	h.checkEvents()
	for _, c := range h.store.Containers() {
		st, _ := h.statuses.Get(c.InternalID)
		h.checkReceipt(c, st)
	}
}

// checkPrograms: no script twice for one request, no more starts than there are causes.
func (h *history) checkPrograms() {
	h.mu.Lock()
	problems, ran := slices.Clone(h.problems), map[string]int{}
	for _, s := range h.scripts {
		ran[s.key()]++
	}
	starts := map[string]int{}
	for volume, n := range h.starts {
		starts[volume] = n
	}
	h.mu.Unlock()
	for _, p := range problems {
		h.fail(p, "")
	}
	for which, n := range ran {
		if n > 1+h.reruns[which] {
			h.fail("a script ran twice for one request", "%s: %d times", which, n)
		}
	}
	for id, b := range h.models {
		if n := starts[b.volume]; n > b.causes {
			h.fail("more starts than reasons for one", "%s: %d starts, %d causes", id, n, b.causes)
		}
	}
}

// checkContainers: one container of a role for each id, no port at two, nothing touched that
// is not ours.
func (h *history) checkContainers() {
	type holder struct {
		id string
		at desired.Endpoint
	}
	have, held := map[string]string{}, []holder{}
	for _, name := range h.sim.Names() {
		c, err := h.sim.Inspect(name)
		if err != nil || !h.ours(c) {
			continue
		}
		id := c.Config.Labels[observed.LabelID]
		what := id + " " + c.Config.Labels[observed.LabelRole]
		if other := have[what]; other != "" {
			h.fail("two containers of one id", "%s: %s and %s", what, other, name)
		}
		have[what] = name
		for _, e := range bound(c) {
			for _, held_ := range held {
				if held_.id != id && held_.at.Overlaps(e) {
					h.fail("a port is held by two", "%s by %s and %s", e, held_.id, id)
				}
			}
			held = append(held, holder{id, e})
		}
	}
	for name, was := range h.foreign {
		c, err := h.sim.Inspect(name)
		if err != nil || fingerprint(c) != was {
			h.fail("a foreign container was touched", "%s: %q, then %q, %v", name, was, fingerprint(c), err)
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
func (h *history) checkVolumes() {
	for id := range h.kept {
		if text, err := os.ReadFile(h.precious(id)); err != nil || string(text) != "precious" {
			h.fail("data of a volume is lost", "%s: %q, %v", id, text, err)
		}
	}
}

// checkWrites: what was acknowledged is there, and nothing else; claims on ports do not overlap.
func (h *history) checkWrites() {
	all := h.store.Containers()
	for i, c := range all {
		b := h.models[c.InternalID]
		if b == nil {
			h.fail("a container without a request", "%s", c.InternalID)
		}
		want := b.acked
		if c.Generation != want.Generation || c.Requests != want.Requests || c.Kill != want.Kill ||
			c.Deleting != want.Deleting || !reflect.DeepEqual(c.Spec, want.Spec) {
			h.fail("an acknowledged write is lost", "%s: have %+v, want %+v", c.InternalID, c, want)
		}
		for _, other := range all[:i] {
			for _, p := range slices.Concat(c.Ports, c.Releasing) {
				for _, q := range slices.Concat(other.Ports, other.Releasing) {
					if p.Endpoint().Overlaps(q.Endpoint()) {
						h.fail("a port is claimed by two", "%s by %s and %s", p.Endpoint(), c.InternalID, other.InternalID)
					}
				}
			}
		}
	}
	for id, b := range h.models {
		if _, exists := h.store.Container(id); !exists {
			if !b.acked.Deleting {
				h.fail("a container is lost", "%s", id)
			}
			delete(h.models, id)
		}
	}
}

// checkEvents: each is reported once and stays, numbers grow, the order is that of the contract.
func (h *history) checkEvents() {
	var all []journal.Event
	for after := uint64(0); ; {
		page, _, err := h.journal.Page("", after, 1000)
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, page...)
		if len(page) < 1000 {
			break
		}
		after = page[len(page)-1].Seq
	}
	for i, e := range all {
		if i > 0 && e.Seq <= all[i-1].Seq {
			h.fail("a seq does not grow", "%d after %d", e.Seq, all[i-1].Seq)
		}
		if i < len(h.events) && !reflect.DeepEqual(e, h.events[i]) {
			h.fail("an event was changed", "%+v, then %+v", h.events[i], e)
		}
		if i >= len(h.events) {
			h.note("    %s %s %s", e.InternalID, e.Type, e.Message)
			if h.undisturbed {
				h.checkUndisturbed(e)
			}
		}
	}
	if len(all) < len(h.events) {
		h.fail("events are lost", "%d, then %d", len(h.events), len(all))
	}
	if len(all) > len(h.events) {
		h.events = all
		h.checkOrder()
	}
}

// checkUndisturbed: no event reports what only an external change can have done.
func (h *history) checkUndisturbed(e journal.Event) {
	switch e.Type {
	case journal.ContainerLost, journal.DriftDetected, journal.BackOff, journal.OOMKilled:
		h.fail("reported what the daemon did itself", "%+v", e)
	}
	if strings.Contains(e.Message, "somebody else") || strings.Contains(e.Message, "not seen") {
		h.fail("reported what the daemon did itself", "%+v", e)
	}
}

// checkOrder holds the order of the events of each container from its creation to its end.
func (h *history) checkOrder() {
	open := map[string][]journal.Type{}
	for _, e := range h.events {
		open[e.InternalID] = append(open[e.InternalID], e.Type)
		if e.Type == journal.Deleted {
			h.checkRuns(e.InternalID, open[e.InternalID])
			delete(open, e.InternalID)
		}
	}
	for id, types := range open {
		h.checkRuns(id, types)
	}
}

func (h *history) checkRuns(id string, types []journal.Type) {
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
				h.fail("reported before Started", "%s: %v", id, types)
			}
			installs[len(installs)-1] += " " + string(t)
		}
	}
	if !process.MatchString(ran.String()) {
		h.fail("the events of the process are out of order", "%s: %s", id, &ran)
	}
	for _, emitted := range installs {
		if !strings.HasPrefix(wholeInstall, emitted) && !strings.HasPrefix(noScript, emitted) {
			h.fail("the events of an installation are out of order", "%s: %s", id, emitted)
		}
	}
	if count[journal.Deleting] > 1 || count[journal.Deleted] > count[journal.Deleting] {
		h.fail("a deletion is reported twice, or not at all", "%s: %v", id, types)
	}
}

// checkReceipt: an observed generation is realized. Without external changes that can be checked
// at any time.
func (h *history) checkReceipt(c desired.Container, st status.Status) {
	b := h.models[c.InternalID]
	if st.ObservedGeneration > c.Generation || st.ObservedGeneration < b.observedGeneration {
		h.fail("the receipt is of no generation that was", "%s: %d of %d, after %d", c.InternalID, st.ObservedGeneration, c.Generation, b.observedGeneration)
	}
	b.observedGeneration = st.ObservedGeneration
	if wrong := contradiction(st); wrong != "" {
		h.fail("a status contradicts itself", "%s: %s", c.InternalID, wrong)
	}
	if st.Get(status.Installed).Reason == status.ReasonInstallInterrupted && !b.invalidated {
		h.fail("an undisturbed installation was interrupted", "%s", c.InternalID)
	}
	if !h.undisturbed || st.ObservedGeneration != c.Generation || h.outOfService && st.Get(status.Synced).Status != status.True {
		return
	}
	if wrong := h.mismatch(c, st); wrong != "" {
		h.fail("a generation is observed and not realized", "%s: %s; status %+v", c.InternalID, wrong, st)
	}
}
