package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"lightd/httpapi/api"
)

// Watch is what to watch.
type Watch struct {
	// Selector chooses containers by their labels; empty for all.
	Selector string
	// After is the revision after which to begin, as a Listing or an earlier watch told it.
	// 0 begins with what is there: each container as added, then a bookmark.
	After uint64
}

// silence is when a stream without a sign of life, which comes every 30 s, is given up.
const silence = 75 * time.Second

// Watch tells of every change of a container, in order and once, for as long as ctx lasts
// and the loop goes on; it ends with an error. After a broken connection it goes on where
// it was. When the daemon no longer knows the changes since then (410), it lists afresh and
// tells the difference to what it has told, what vanished meanwhile included. It cannot do
// so if it did not begin with a list: then the error is ErrGone.
//
// A bookmark tells that all before it was told; the first one ends the list.
func (c *Client) Watch(ctx context.Context, w Watch) iter.Seq2[api.WatchEvent, error] {
	return func(yield func(api.WatchEvent, error) bool) {
		s := &watching{client: c, selector: w.Selector, after: w.After, yield: yield}
		if w.After == 0 {
			s.told = map[string]json.RawMessage{}
			s.relist()
		}
		if err := s.run(ctx); !errors.Is(err, errLeft) {
			yield(api.WatchEvent{}, err)
		}
	}
}

// errLeft ends what its consumer has left.
var errLeft = errors.New("the loop was left")

// watching is one watch.
type watching struct {
	client   *Client
	selector string
	yield    func(api.WatchEvent, error) bool
	// after is the revision to go on from, 0 for a list.
	after uint64
	// told are the containers as they were told the last time; nil when not all of them
	// are known.
	told map[string]json.RawMessage
	// listed are those that the list in progress has named; nil while there is none.
	listed map[string]bool
}

// relist makes the next connection begin with what is there.
func (s *watching) relist() { s.after, s.listed = 0, map[string]bool{} }

// run keeps a connection until the loop is left or nothing helps.
func (s *watching) run(ctx context.Context) error {
	o := retryBudget{patience: s.client.patience}
	for {
		err := s.follow(ctx, o.reset)
		switch {
		case errors.Is(err, errLeft):
			return err
		case isGone(err) && s.after != 0 && s.told != nil:
			s.relist()
		case !mayReconnect(err):
			return err
		case !o.pause(ctx, err):
			return ended(ctx, err)
		case s.listed != nil, s.after == 0:
			// Half a list says nothing of what is gone, nor does the revision of an empty one.
			s.relist()
		}
	}
}

func isGone(err error) bool { return errors.Is(err, ErrGone) }

// line is a WatchEvent whose container is left as it came.
type line struct {
	Type      api.Change      `json:"type"`
	Revision  uint64          `json:"revision"`
	Container json.RawMessage `json:"container"`
}

// follow reads one connection to its end. alive is called with every line.
func (s *watching) follow(ctx context.Context, alive func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := get("containers").choosing(s.selector)
	if r.query == nil {
		r.query = url.Values{}
	}
	r.query.Set("watch", "true")
	if s.after > 0 {
		r.query.Set("after", strconv.FormatUint(s.after, 10))
	}
	r.accept = "application/x-ndjson"
	stream, err := s.client.begin(ctx, r)
	if err != nil {
		return err
	}
	defer stream.Close()
	quiet := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer quiet.Stop()
	lines := json.NewDecoder(stream)
	for {
		var l line
		if err := lines.Decode(&l); err != nil {
			return s.client.broken(ctx, r, err)
		}
		quiet.Stop() // what the loop does meanwhile may take its time
		alive()
		if err := s.take(l); err != nil {
			return err
		}
		quiet.Reset(silence)
	}
}

// errSilent is a stream without a sign of life.
var errSilent = errors.New("the daemon has gone silent")

// broken is the error of a stream that began. What is not JSON is no broken connection.
func (c *Client) broken(ctx context.Context, r request, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && ctx.Err() == nil {
		return fmt.Errorf("%s %s: read the stream: %w", r.method, r.path, err)
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return c.transportError(ctx, r, true, err)
}

// take tells one line.
func (s *watching) take(l line) error {
	if s.listed != nil {
		return s.takeListed(l)
	}
	e, err := l.event()
	if err != nil {
		return err
	}
	s.after = max(s.after, l.Revision)
	if s.told != nil && e.Container != nil {
		if l.Type == api.ChangeDeleted {
			delete(s.told, e.Container.InternalID)
		} else {
			s.told[e.Container.InternalID] = l.Container
		}
	}
	return s.tell(e)
}

func (l line) event() (api.WatchEvent, error) {
	e := api.WatchEvent{Type: l.Type, Revision: l.Revision}
	if len(l.Container) == 0 || bytes.Equal(l.Container, []byte("null")) {
		return e, nil
	}
	if err := json.Unmarshal(l.Container, &e.Container); err != nil {
		return e, fmt.Errorf("read a change of revision %d: %w", l.Revision, err)
	}
	return e, nil
}

func (s *watching) tell(e api.WatchEvent) error {
	switch e.Type {
	case api.ChangeAdded, api.ChangeModified, api.ChangeDeleted, api.Bookmark:
	default:
		return nil // of a newer daemon
	}
	if !s.yield(e, nil) {
		return errLeft
	}
	return nil
}

// takeListed tells a line of a list as the difference to what was told before.
func (s *watching) takeListed(l line) error {
	e, err := l.event()
	if err != nil {
		return err
	}
	if e.Type == api.Bookmark {
		return s.endList(e)
	}
	if e.Container == nil {
		return nil
	}
	id := e.Container.InternalID
	old, known := s.told[id]
	if e.Type == api.ChangeDeleted {
		delete(s.told, id)
		delete(s.listed, id)
		if !known {
			return nil
		}
		return s.tell(e)
	}
	s.listed[id] = true
	s.told[id] = l.Container
	switch {
	case !known:
		e.Type = api.ChangeAdded
	case bytes.Equal(old, l.Container):
		return nil
	default:
		before, err := line{Type: api.ChangeDeleted, Revision: l.Revision, Container: old}.event()
		if err != nil {
			return err
		}
		if before.Container.CreatedAt == e.Container.CreatedAt {
			e.Type = api.ChangeModified
			break
		}
		// One was deleted and another one made under its id.
		if err := s.tell(before); err != nil {
			return err
		}
		e.Type = api.ChangeAdded
	}
	return s.tell(e)
}

// endList tells what was told before and is not there any more.
func (s *watching) endList(bookmark api.WatchEvent) error {
	for _, id := range slices.Sorted(maps.Keys(s.told)) {
		if s.listed[id] {
			continue
		}
		e, err := line{Type: api.ChangeDeleted, Revision: bookmark.Revision, Container: s.told[id]}.event()
		if err != nil {
			return err
		}
		delete(s.told, id)
		if err := s.tell(e); err != nil {
			return err
		}
	}
	s.after, s.listed = bookmark.Revision, nil
	return s.tell(bookmark)
}
