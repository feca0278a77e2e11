package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// Event is something that happened to a container or an image.
type Event struct {
	// Action is Docker's word, as in "die". A container that is put on a network or taken off
	// one makes "connect" and "disconnect".
	Action string
	// ID is the container's id; of an image it is an id or a reference.
	ID string
	// Attributes are the labels of the container, and more: "name", "image", "exitCode". Of
	// "connect" and "disconnect" the name is the network's, and there are no labels.
	Attributes map[string]string
	// Mark is true for the mark of an instance's owner, whose name is ID.
	Mark bool
	// Time is when it happened, by the engine's clock.
	Time time.Time
}

// relevant are the actions after which a container may look different. All others, of which
// commands run in a container and health checks make many, are not even sent to us.
var relevant = []events.Action{
	events.ActionCreate, events.ActionStart, events.ActionDie, events.ActionDestroy, events.ActionOOM, events.ActionRename,
	events.ActionPause, events.ActionUnPause, events.ActionUpdate, events.ActionRestart, events.ActionStop, events.ActionKill,
	events.ActionConnect, events.ActionDisconnect,
}

// ContainerEvents follows the changes of all containers, foreign ones too: one that is not ours may
// take our name or release it, and an event of a network does not name a container's owner. The
// marks of owners are among them. It calls opened once the stream delivers all events from then
// on, with the latest time that the engine is known to have started after, and each with every
// event, in order, from the calling goroutine. A since that is not zero requests the events after it
// too, of which the engine keeps few. It returns when the stream ends, with the cause; the error is
// never nil.
func (e *Engine) ContainerEvents(ctx context.Context, since time.Time, opened func(startedAfter time.Time), each func(Event)) error {
	filter := filters.NewArgs(filters.Arg("type", string(events.ContainerEventType)), filters.Arg("type", string(events.NetworkEventType)),
		filters.Arg("type", string(events.VolumeEventType)))
	for _, action := range relevant {
		filter.Add("event", string(action))
	}
	open := func() {
		started, err := e.startedAfter(ctx)
		if err != nil && ctx.Err() == nil {
			e.log.Debug("start of the engine unknown", "host", e.host, "error", err)
		}
		opened(started)
	}
	return e.events(ctx, "containers", since, filter, open, func(ev Event) {
		if ev.ID != "" { // else it is a network that comes or goes, or a volume
			each(ev)
		}
	})
}

// ImageEvents follows the changes of all images. It is otherwise as ContainerEvents.
func (e *Engine) ImageEvents(ctx context.Context, opened func(), each func(Event)) error {
	filter := filters.NewArgs(filters.Arg("type", string(events.ImageEventType)))
	return e.events(ctx, "images", time.Time{}, filter, opened, each)
}

func (e *Engine) events(ctx context.Context, of string, since time.Time, filter filters.Args,
	opened func(), each func(Event),
) error {
	options := events.ListOptions{Filters: filter}
	if !since.IsZero() {
		options.Since = fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())
	}
	err := e.stream(ctx, func(ctx context.Context, s *session, answered func() error) error {
		options := options
		options.Filters = s.eventFilter(options.Filters)
		messages, failed := s.Events(ctx, options)
		if err := answered(); err != nil {
			for range failed { // closed when the client has let go
			}
			return err
		}
		return drain(messages, failed, opened, func(m events.Message) { each(event(s.dockerEvent(m))) })
	})
	return fmt.Errorf("follow events of %s: %w", of, err)
}

// drain delivers events until the stream has failed, and returns why.
func drain(messages <-chan events.Message, failed <-chan error, opened func(), each func(events.Message)) error {
	select {
	case err := <-failed: // it was never opened
		return ended(err)
	default:
	}
	opened()
	for {
		select {
		case m := <-messages:
			each(m)
		case err := <-failed:
			return ended(err)
		}
	}
}

// ended returns a named error for the end of a stream that was not closed from here.
func ended(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func event(m events.Message) Event {
	ev := Event{
		Action: string(m.Action), ID: m.Actor.ID, Attributes: m.Actor.Attributes,
		Time: time.Unix(0, m.TimeNano).UTC(),
	}
	switch m.Type {
	case events.NetworkEventType:
		ev.ID = m.Actor.Attributes["container"]
	case events.VolumeEventType:
		if ev.Mark = strings.HasPrefix(ev.ID, ownerPrefix); !ev.Mark {
			ev.ID = ""
		}
	}
	return ev
}

// Ends reports whether a "kill" carries a signal that programs end by: SIGHUP, SIGUSR1 and the like make
// most of them read their configuration again, or change how they print it.
func (e Event) Ends() bool {
	switch e.Attributes["signal"] {
	case "2", "3", "6", "9", "15": // SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGTERM
		return true
	}
	return false
}

// ExitCode returns the exit code that a "die" carries.
func (e Event) ExitCode() (code int, ok bool) {
	code, err := strconv.Atoi(e.Attributes["exitCode"])
	return code, err == nil
}
