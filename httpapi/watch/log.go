package watch

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/httpapi/view"
	"lightd/observed/status"
)

// change is a container as of one revision.
type change struct {
	id       string
	revision uint64
	// before are the labels before the change, now those after it.
	before, now labels
	// body has the container as JSON; of one that is gone, as it was last. weight is about how much
	// memory that takes, in bytes.
	body   body
	weight int
}

// body returns a container as JSON. Each form is encoded once for all watchers, at the first call.
type body struct{ whole, withoutEnv func() []byte }

func (b body) json(hidesEnv bool) []byte {
	if hidesEnv {
		return b.withoutEnv()
	}
	return b.whole()
}

// labels are what a selector chooses by, of a container that exists.
type labels struct {
	exist bool
	of    map[string]string
}

// bodyOf returns the body of a container.
func bodyOf(show func() api.Container) body {
	return body{
		whole:      sync.OnceValue(func() []byte { return encode(show()) }),
		withoutEnv: sync.OnceValue(func() []byte { return encode(show().WithoutEnv()) }),
	}
}

func encode(c api.Container) []byte {
	body, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("encode a container: %v", err))
	}
	return body
}

// kind is what the change is to a session; empty when nothing.
func (c *change) kind(s *Session) api.Change {
	was, is := s.has(c.id, c.before), s.has(c.id, c.now)
	switch {
	case was && is:
		return api.ChangeModified
	case is:
		return api.ChangeAdded
	case was:
		return api.ChangeDeleted
	}
	return ""
}

// shownTo is the container as a session sees it. One that goes out of what the session's token is for
// shows no more than its id: what it has become is not for that token.
func (c *change) shownTo(s *Session) []byte {
	if c.now.exist && s.Allows != nil && !s.Allows(c.id, c.now.of) {
		gone := desired.Container{Spec: desired.Spec{InternalID: c.id}}
		return encode(view.Show(gone, status.Status{}, status.EngineStatus{Up: true}))
	}
	return c.body.json(s.HidesEnv)
}

// approxSize is about what a change of c holds of memory, in bytes: its text, and as much again
// once it is encoded.
func approxSize(c desired.Container) int {
	how := c.Installation()
	n := 2<<10 + len(how.Script) + len(c.StartupCommand) + len(c.StartPattern) + len(c.Stop.Command)
	for _, m := range []map[string]string{c.Env, c.Labels, how.Env} {
		for k, v := range m {
			n += len(k) + len(v)
		}
	}
	for target, m := range c.Mount {
		n += len(target) + len(m.Source)
	}
	return n + 128*len(c.Ports)
}

// log is the changes after floor, and what is there now. The zero log is empty.
type log struct {
	mu      sync.Mutex
	changes []*change // by revision
	weight  int       // of changes
	// most is what they may weigh beside one change of all that is there, and all what that
	// weighs: what changes everything must not cut everybody off.
	most, all int
	// floor is the revision from which on all changes are here, head that of the last commit.
	floor, head uint64
	current     map[string]*change
	// news is closed when there is more, and replaced.
	news chan struct{}
}

// seed makes what is there the beginning. Which revisions these containers had is not known
// any more: they are given the last ones, none of which can be resumed from but the last.
func (l *log) seed(at store.Snapshot, all []desired.Container, show func(desired.Container) func() api.Container) {
	slices.SortStableFunc(all, func(a, b desired.Container) int { return cmp.Compare(a.Revision, b.Revision) })
	l.floor, l.head, l.news = at.Shown, at.Revision, make(chan struct{})
	l.current = make(map[string]*change, len(all))
	for i, c := range all {
		now := labels{exist: true, of: c.Labels}
		weight := approxSize(c)
		l.all += weight
		l.current[c.InternalID] = &change{
			id: c.InternalID, revision: at.Shown - uint64(len(all)-1-i), before: now, now: now, body: bodyOf(show(c)), weight: weight,
		}
	}
}

// state is a container of a commit; gone ones do not exist.
type state struct {
	id        string
	revision  uint64
	exists    bool
	container desired.Container
	show      func() api.Container
}

// append adds what a commit has changed.
func (l *log) append(revision uint64, states []state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head = revision
	for _, s := range states {
		last := l.current[s.id]
		if !s.exists && last == nil {
			continue // it came and went in one commit
		}
		c := &change{id: s.id, revision: s.revision, now: labels{s.exists, s.container.Labels}, weight: approxSize(s.container)}
		if last != nil {
			c.before = last.now
			l.all -= last.weight
		}
		if s.exists {
			c.body = bodyOf(s.show)
			l.current[s.id] = c
			l.all += c.weight
		} else {
			c.body, c.weight = last.body, last.weight
			delete(l.current, s.id)
		}
		l.changes, l.weight = append(l.changes, c), l.weight+c.weight
	}
	l.trimLocked()
}

// trimLocked drops the oldest changes beyond what may be kept.
func (l *log) trimLocked() {
	n := 0
	for ; l.weight > l.most+l.all && n < len(l.changes); n++ {
		l.weight -= l.changes[n].weight
		l.floor = l.changes[n].revision
	}
	if n > 0 {
		l.changes = slices.Delete(l.changes, 0, n)
	}
}

// keeps reports whether all changes after a revision are here.
func (l *log) keeps(revision uint64) bool { return revision >= l.floor && revision <= l.head }

// after returns changes after a revision, at most as many as fit into room, and what the
// last commit was; where there are none, news is closed when that is no longer so. ok is
// false when some of them are not kept.
func (l *log) after(revision uint64, room []*change) (found []*change, head uint64, news <-chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.keeps(revision) {
		return nil, 0, nil, false
	}
	first := sort.Search(len(l.changes), func(i int) bool { return l.changes[i].revision > revision })
	n := copy(room, l.changes[first:])
	return room[:n], l.head, l.news, true
}

// wake wakes all who wait for news.
func (l *log) wake() {
	l.mu.Lock()
	old := l.news
	l.news = make(chan struct{})
	l.mu.Unlock()
	close(old)
}

// list returns what is there, in the order of its last change, as of the commit head.
func (l *log) list() (all []*change, head uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all = slices.SortedFunc(maps.Values(l.current), func(a, b *change) int { return cmp.Compare(a.revision, b.revision) })
	return all, l.head
}
