package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
	"lightd/observed/status"
)

// waitTime bounds what a write waits for its goal.
const waitTime = time.Minute

// operation is something that happens to a container.
type operation struct {
	name   string
	weight int
	do     func(*slot, context.Context) error
}

// operations are chosen by their weights.
var operations = []operation{
	{"power", 18, (*slot).power},
	{"limits", 6, (*slot).limits},
	{"environment", 4, (*slot).environment},
	{"rebind", 5, (*slot).rebind},
	{"reinstall", 4, (*slot).reinstall},
	{"files", 20, (*slot).changeFile},
	{"archive", 3, (*slot).archive},
	{"console", 14, (*slot).console},
	{"crash", 5, (*slot).crash},
	{"outside", 10, (*slot).outside},
	{"conflict", 6, (*slot).conflict},
	{"delete", 5, (*slot).remove},
}

// choose draws the next operation.
func (s *slot) choose() operation {
	if !s.exists {
		return operation{"create", 1, (*slot).create}
	}
	total := 0
	for _, op := range operations {
		total += op.weight
	}
	at := s.random.IntN(total)
	for _, op := range operations {
		if at -= op.weight; at < 0 {
			return op
		}
	}
	panic("the weights do not add up")
}

// waiting is a write that waits for a goal, unless that is empty.
func waiting(goal api.Goal) client.Write {
	if goal == "" {
		return client.Write{}
	}
	return client.Write{Wait: goal, Timeout: waitTime}
}

func nothing(*desired.Spec) {}

// power starts, stops, kills or restarts the process.
func (s *slot) power(ctx context.Context) error {
	action := []client.Action{client.Start, client.Stop, client.Kill, client.Restart, client.Start, client.Restart}[s.random.IntN(6)]
	power, goal := desired.PowerRunning, api.UntilRunning
	if action == client.Stop || action == client.Kill {
		power, goal = desired.PowerStopped, api.UntilStopped
	}
	goal = s.goal(goal)
	return s.write(ctx, func() (client.Receipt, error) {
		return s.client.Power(ctx, s.spec.InternalID, action, waiting(goal))
	}, func(spec *desired.Spec) { spec.Power = power })
}

// start starts the process, which ends a backoff.
func (s *slot) start(ctx context.Context) error {
	return s.write(ctx, func() (client.Receipt, error) {
		return s.client.Power(ctx, s.spec.InternalID, client.Start, client.Write{})
	}, func(spec *desired.Spec) { spec.Power = desired.PowerRunning })
}

// patch changes single fields of the spec.
func (s *slot) patch(ctx context.Context, patch map[string]any, change func(*desired.Spec)) error {
	goal := s.goal(api.UntilSynced)
	return s.write(ctx, func() (client.Receipt, error) {
		return s.client.Patch(ctx, s.spec.InternalID, patch, waiting(goal))
	}, change)
}

func (s *slot) limits(ctx context.Context) error {
	memory := s.memory()
	return s.patch(ctx, map[string]any{"limits": map[string]any{"memory": memory}}, func(spec *desired.Spec) { spec.Limits.Memory = memory })
}

func (s *slot) environment(ctx context.Context) error {
	env := map[string]string{"VERSION": fmt.Sprint(s.random.IntN(1000))}
	return s.patch(ctx, map[string]any{"env": env}, func(spec *desired.Spec) { spec.Env = env })
}

func (s *slot) rebind(ctx context.Context) error {
	ports, goal := []desired.Port{s.port()}, s.goal(api.UntilSynced)
	return s.write(ctx, func() (client.Receipt, error) {
		return s.client.Rebind(ctx, s.spec.InternalID, ports, "", waiting(goal))
	}, func(spec *desired.Spec) { spec.Ports = ports })
}

func (s *slot) reinstall(ctx context.Context) error {
	goal := s.goal(api.UntilInstalled)
	err := s.write(ctx, func() (client.Receipt, error) {
		return s.client.Reinstall(ctx, s.spec.InternalID, client.Reinstall{}, waiting(goal))
	}, nothing)
	if !errors.Is(err, client.ErrConflict) && s.spec.InstallScript != "" {
		s.scripts++
	}
	return err
}

// conflict asks for what is refused: a write of a generation before, a second container of an id, and a
// container that is gone.
func (s *slot) conflict(ctx context.Context) error {
	switch s.random.IntN(3) {
	case 0:
		_, err := s.client.Patch(ctx, s.spec.InternalID, map[string]any{"env": nil}, client.Write{IfMatch: `"0-0"`})
		return refused(err, client.ErrPrecondition)
	case 1:
		_, err := s.client.Create(ctx, s.spec, client.Write{})
		return refused(err, client.ErrConflict)
	default:
		_, err := s.client.Get(ctx, fmt.Sprintf("soak-%d-never", s.number))
		return refused(err, client.ErrNotFound)
	}
}

func refused(err, want error) error {
	if err == nil || !errors.Is(err, want) {
		return fmt.Errorf("want a refusal, %q, got %w", want, err)
	}
	return nil
}

// remove deletes the container, and sometimes its volume. It may go on when it is answered.
func (s *slot) remove(ctx context.Context) error {
	id := s.spec.InternalID
	_, err := s.client.Delete(ctx, id, client.Write{Timeout: waitTime / 2})
	if err != nil && !errors.Is(err, client.ErrUnknownOutcome) && ctx.Err() == nil {
		return err
	}
	if err != nil {
		now, readErr := s.quiet.Get(context.WithoutCancel(ctx), id)
		if readErr == nil && !now.Deleting {
			return err // it was not accepted
		}
	}
	s.exists, s.generation = false, 0
	s.gone = append(s.gone, id)
	if s.random.IntN(2) == 0 {
		return err
	}
	if deleteErr := s.client.DeleteVolume(ctx, s.volume); deleteErr != nil {
		return errors.Join(err, deleteErr)
	}
	s.volume, s.files = "", nil
	return err
}

// crash has the process end with an error, by its own program.
func (s *slot) crash(ctx context.Context) error {
	return s.client.SendCommand(ctx, s.spec.InternalID, "crash")
}

// console writes a line to the process and waits for its answer.
func (s *slot) console(ctx context.Context) error {
	if s.spec.Power != desired.PowerRunning {
		return nil
	}
	if _, err := s.client.Wait(ctx, s.spec.InternalID, api.UntilRunning, waitTime); err != nil {
		return err
	}
	before, err := s.client.Get(ctx, s.spec.InternalID)
	if err != nil {
		return err
	}
	disturbances := s.disturbances.Load()
	line := fmt.Sprintf("ping-%d-%d", s.number, s.random.IntN(1_000_000))
	err = s.echo(ctx, line)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if errors.Is(err, errPaused) { // by hand, before this began
		return nil
	}
	after, readErr := s.client.Get(ctx, s.spec.InternalID)
	if readErr != nil || before.State != status.StateRunning || after.Restarts != before.Restarts || after.ContainerID != before.ContainerID ||
		after.State != before.State || s.disturbed() || s.disturbances.Load() != disturbances {
		return readErr // its process has ended meanwhile
	}
	return err
}

// errPaused is the refusal of a line to a process that is frozen.
var errPaused = errors.New("container is paused in Docker")

// echo fails when the process has not answered a line.
func (s *slot) echo(ctx context.Context, line string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*waitTime)
	defer cancel()
	console, err := s.client.Console(ctx, s.spec.InternalID, client.From{})
	if err != nil {
		return err
	}
	defer console.Close()
	text, sent := "", false
	for message, err := range console.Messages() {
		switch {
		case err != nil:
			return fmt.Errorf("console without an answer to %s: %w", line, err)
		case !sent:
			sent = true
			if err := console.SendCommand(ctx, line+"\n"); err != nil {
				return err
			}
		case message.Kind == api.MessageDaemon && strings.Contains(message.Text, errPaused.Error()):
			return errPaused
		case message.Kind == api.MessageDaemon && strings.HasPrefix(message.Text, "Error: "):
			return fmt.Errorf("%s is refused: %s", line, message.Text)
		case message.Kind == api.MessageConsole:
			text += message.Text
			if strings.Contains(text, "pong "+line) {
				return nil
			}
		}
	}
	return fmt.Errorf("console ended without an answer to %s", line)
}
