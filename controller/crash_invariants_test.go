package controller_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"lightd/desired"
	"lightd/observed/journal"
	"lightd/observed/status"
)

// check holds what is so at the end of every story, and that of l, whenever the daemon died.
func (m *crashableDaemon) check(l lifecycle, erased bool) {
	m.t.Helper()
	m.invariants()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.starts != l.starts {
		m.report("%d starts, want %d", m.starts, l.starts)
	}
	if ran := strings.Join(m.scripts, " "); ran != l.installs {
		m.report("scripts ran %q, want %q", ran, l.installs)
	}
	emitted := m.counts()
	if emitted["Ready"] != strings.Count(l.installs, " ")+1 {
		m.report("Ready reported %d times", emitted["Ready"])
	}
	if emitted["Running"] != l.starts {
		m.report("Running reported %d times, want %d", emitted["Running"], l.starts)
	}
	want := 1
	if erased {
		want = 0
	}
	if names := m.sim.Names(); len(names) != want {
		m.report("containers left: %v", names)
	}
}

func (m *crashableDaemon) report(format string, args ...any) {
	m.t.Helper()
	m.t.Errorf("died %q: %s; events %s", m.deaths, fmt.Sprintf(format, args...), m.events("a"))
}

func (m *crashableDaemon) page() []journal.Event {
	page, _, err := m.journal.Page("a", 0, 1000)
	if err != nil {
		m.t.Fatal(err)
	}
	return page
}

func (m *crashableDaemon) counts() map[string]int {
	emitted := map[string]int{}
	for _, e := range m.page() {
		emitted[string(e.Type)]++
	}
	return emitted
}

// invariants are what holds whatever was requested and whenever the daemon died.
func (m *crashableDaemon) invariants() {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.problems {
		m.report("%s", p)
	}
	for i, request := range m.scripts {
		if i > 0 && number(request) <= number(m.scripts[i-1]) {
			m.report("scripts ran for the requests %v: one twice, or an old one", m.scripts)
		}
	}
	if st, _ := m.statuses.Get("a"); contradiction(st) != "" {
		m.report("%s", contradiction(st))
	}
	page := m.page()
	for i, e := range page {
		if i > 0 && e.Seq <= page[i-1].Seq {
			m.report("seq %d after %d", e.Seq, page[i-1].Seq)
		}
	}
	for _, e := range page {
		switch e.Type {
		case journal.Error, journal.ContainerLost, journal.DriftDetected, journal.BackOff, journal.OOMKilled:
			m.report("%s reported what the daemon did itself: %s", e.Type, e.Message)
		}
		if strings.Contains(e.Message, "somebody else") || strings.Contains(e.Message, "not seen") {
			m.report("%s: %s", e.Type, e.Message)
		}
	}
	m.grammar()
}

// contradiction returns what of a status contradicts the rest of it; empty when nothing does.
func contradiction(st status.Status) string {
	installed := st.Get(status.Installed)
	switch {
	case st.InstallState == status.Failed && installed.Status == status.True,
		st.InstallState == status.Ready && installed.Status != status.True:
		return fmt.Sprintf("install_state is %s beside %+v", st.InstallState, installed)
	}
	return ""
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// process is the order of the events of a process, over all its runs.
var process = regexp.MustCompile(`^(Starting (Running )?(Stopping )*Exited )*(Starting (Running )?(Stopping )*)?$`)

// grammar is the order of events. An installation is reported from its beginning, and each
// part of it once; only the last one has to come to its end.
func (m *crashableDaemon) grammar() {
	m.t.Helper()
	var runs strings.Builder
	var installs []string
	for _, e := range m.page() {
		switch e.Type {
		case journal.Starting, journal.Running, journal.Stopping, journal.Exited:
			runs.WriteString(string(e.Type) + " ")
		case journal.Started:
			installs = append(installs, "Started")
		case journal.CreatingContainer, journal.ContainerCreated, journal.RunningInstallScript, journal.InstallScriptComplete,
			journal.SettingUpEntrypoint, journal.Ready:
			if len(installs) == 0 {
				m.report("%s reported before Started", e.Type)
				return
			}
			installs[len(installs)-1] += " " + string(e.Type)
		}
	}
	if !process.MatchString(runs.String()) {
		m.report("the events of the process are %s", &runs)
	}
	for _, emitted := range installs {
		if !strings.HasPrefix(wholeInstall, emitted) && !strings.HasPrefix(noScript, emitted) {
			m.report("the events of an installation are %s", emitted)
		}
	}
}

const noScript = "Started CreatingContainer ContainerCreated SettingUpEntrypoint Ready"

// converged checks the state after the last write was observed, with nothing left over.
func (m *crashableDaemon) converged(erased bool) {
	m.t.Helper()
	var c desired.Container
	var st status.Status
	if erased {
		m.gone()
	} else {
		m.until("converged", func(now desired.Container, s status.Status) bool {
			c, st = now, s
			up := s.State == status.StateOffline
			if c.Power == desired.PowerRunning {
				up = s.State == status.StateRunning
			}
			return up && s.ObservedGeneration == c.Generation && s.Get(status.Synced).Status == status.True
		})
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !erased && c.Installation().Script != "" && (len(m.scripts) == 0 || number(m.scripts[len(m.scripts)-1]) != int(c.Requests.Install)) {
		m.report("scripts ran for %v, and %d was requested last", m.scripts, c.Requests.Install)
	}
	emitted := m.counts()
	if alive := emitted["Starting"] - emitted["Exited"]; alive != 0 && (alive != 1 || c.Power != desired.PowerRunning) {
		m.report("%d runs are reported as not ended, power is %q", alive, c.Power)
	}
	m.leftovers(c, st)
}

// leftovers compares all that there is with what one spec, or none, needs.
func (m *crashableDaemon) leftovers(c desired.Container, st status.Status) {
	m.t.Helper()
	var names, images, files []string
	if c.InternalID != "" {
		names = []string{"lightd-a"}
		files = []string{"entrypoint.sh"}
		if c.Installation().Script != "" {
			files = []string{"entrypoint.sh", "install.log", "install.sh"}
		}
	}
	if st.Install.Snapshot != "" {
		images = []string{st.Install.Snapshot}
	}
	pollUntil(m.t, "no image left over", func() bool {
		m.alive() // it may die while it collects
		m.controller.TriggerGC()
		tagged, err := m.engine.Images(m.t.Context())
		var have []string
		for _, i := range tagged {
			have = append(have, i.Ref)
		}
		return err == nil && slices.Equal(have, images)
	})
	if have := m.sim.Names(); !slices.Equal(have, names) && len(have)+len(names) > 0 {
		m.report("containers left: %v, want %v", have, names)
	}
	var have []string
	entries, _ := os.ReadDir(m.data.Path("a"))
	for _, e := range entries {
		have = append(have, e.Name())
	}
	if !slices.Equal(have, files) {
		m.report("files left: %v, want %v", have, files)
	}
	pool, err := m.store.Ports()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, p := range pool {
		named := slices.ContainsFunc(c.Ports, func(have desired.Port) bool { return have.Endpoint() == p.Endpoint })
		if p.InUse != named {
			m.report("port %s is in use: %t, named: %t", p.Endpoint, p.InUse, named)
		}
	}
}
