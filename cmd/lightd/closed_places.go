package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"lightd/controller"
	"lightd/desired"
	"lightd/desired/mountsource"
	"lightd/desired/subscribe"
)

// ownPlaces are places of the host that no mount may reach, whatever is allowed: those of the daemon
// with these settings, and those that engines have where nothing else is configured.
func (c *config) ownPlaces() []string {
	places := []string{
		"/var/lib/docker", "/var/lib/containerd", "/run/docker", "/run/containerd", "/run/docker.sock", "/var/run/docker.sock",
	}
	own := []string{c.DataDir, c.TokenFile, c.file, c.TLS.Cert, c.TLS.Key, c.TLS.ClientCA}
	own = append(own, c.otherSecretFiles()...)
	if path, ok := strings.CutPrefix(c.DockerHost, "unix://"); ok {
		own = append(own, path)
	}
	if listeners, err := c.listeners(); err == nil {
		for _, l := range listeners {
			if l.Network == "unix" {
				own = append(own, l.At)
			}
		}
	}
	for _, path := range own {
		if path == "" {
			continue
		}
		if abs, err := filepath.Abs(path); err == nil {
			places = append(places, abs)
		}
	}
	return places
}

// closedPlaces checks mounts against what is allowed now, and what is closed: the daemon's own places,
// and those that the engine says are its own.
type closedPlaces struct {
	live *liveConfig
	own  []string
	// directories asks the engine; it is set before the first check of a start.
	directories func(context.Context) ([]string, error)
	// last are the engine's as of its last answer, nil before the first.
	last atomic.Pointer[[]string]
}

func newClosedPlaces(live *liveConfig) *closedPlaces {
	return &closedPlaces{live: live, own: live.Load().ownPlaces()}
}

// checkKnown checks the mounts of a spec without a call of the engine, which a write does not wait for.
func (p *closedPlaces) checkKnown(s desired.Spec) error { return mountsource.Check(s, p.rules()) }

// rules are what mounts are checked against, with the engine's places as of its last answer.
func (p *closedPlaces) rules() mountsource.Rules {
	rules := mountsource.Rules{Allowed: p.live.allowedMounts(), Forbidden: p.own}
	if last := p.last.Load(); last != nil {
		rules.Forbidden = append(rules.Forbidden[:len(p.own):len(p.own)], *last...)
	}
	return rules
}

// checkNow checks them before the engine resolves their sources, with the directories that it has now:
// an engine that was restarted may have others. An error that is no *desired.ValidationError is the engine's.
func (p *closedPlaces) checkNow(s desired.Spec) error {
	if len(s.Mount) == 0 {
		return nil
	}
	if err := p.refresh(context.Background()); err != nil {
		return err
	}
	return p.checkKnown(s)
}

// refresh asks the engine for its directories.
func (p *closedPlaces) refresh(ctx context.Context) error {
	found, err := p.directories(ctx)
	if err != nil {
		return fmt.Errorf("find what the engine keeps to itself: %w", err)
	}
	found = append(found, linkedFrom(found)...)
	p.last.Store(&found)
	return nil
}

// linkedFrom returns where the links in directories lead: an operator may have moved a part of what the engine
// keeps, as its volumes, to another disk.
func linkedFrom(directories []string) (targets []string) {
	for _, dir := range directories {
		entries, _ := os.ReadDir(dir) // the last one may be a socket
		for _, e := range entries {
			if e.Type()&os.ModeSymlink == 0 {
				continue
			}
			if to, err := filepath.EvalSymlinks(filepath.Join(dir, e.Name())); err == nil {
				targets = append(targets, to)
			}
		}
	}
	return targets
}

// watch refreshes them whenever the engine has become reachable, until ctx ends.
func (p *closedPlaces) watch(ctx context.Context, engine controller.EngineHealth) {
	reachable := make(chan struct{}, 1)
	changed := func(up bool) {
		if up {
			subscribe.Wake(reachable)
		}
	}
	defer engine.Subscribe(changed)()
	up, _ := engine.Up()
	changed(up)
	for {
		select {
		case <-ctx.Done():
			return
		case <-reachable:
			_ = p.refresh(ctx) // each start asks again
		}
	}
}
