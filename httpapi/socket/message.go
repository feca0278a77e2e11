package socket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json/jsontext"

	"lightd/httpapi/api"
	"lightd/httpapi/strictjson"
	"lightd/observed"
	"lightd/observed/console"
	"lightd/observed/journal"
	"lightd/observed/stdin"
	"lightd/observed/streams"
)

// The messages of the server.
type (
	wordMessage struct {
		Event      string   `json:"event"`
		InternalID string   `json:"internal_id,omitempty"`
		Data       api.Word `json:"data"`
	}
	textMessage struct {
		Event string `json:"event"`
		Data  string `json:"data"`
	}
	lifecycleMessage struct {
		Kind string `json:"event"`
		journal.Event
	}
	statsMessage struct {
		Event string `json:"event"`
		observed.Stats
	}
)

const (
	// actionTime bounds a message's work; the writes behind it have limits of their own.
	actionTime   = 15 * time.Second
	defaultLines = 200
	maxLines     = 5000
)

// sentence is an error that a client is told word by word.
type sentence string

func (s sentence) Error() string { return string(s) }

// read handles messages one after the other until the connection ends.
func (c *client) read(ctx context.Context) {
	if c.session.ID != "" {
		c.input = c.hub.cfg.Console.OpenInput(c.session.ID)
		defer c.input.Close()
	}
	for {
		kind, data, err := c.conn.Read(ctx)
		if err != nil {
			if errors.Is(err, websocket.ErrMessageTooBig) {
				c.stop(websocket.StatusMessageTooBig, "message is too big")
			}
			c.stop(noHandshake, "")
			return
		}
		answer, err := c.handle(ctx, kind, data)
		if err != nil {
			answer = textMessage{"daemon_message", "Error: " + c.explain(err)}
		}
		if answer == nil {
			continue
		}
		select {
		case c.replies <- answer:
		case <-c.done:
			return
		}
	}
}

// handle does what a message asks for. A nil answer and a nil error are silence.
func (c *client) handle(ctx context.Context, kind websocket.MessageType, data []byte) (answer any, err error) {
	if !c.limit.Allow() {
		return nil, sentence("too many messages, this one was ignored")
	}
	if kind != websocket.MessageText {
		return nil, sentence("a message must be text")
	}
	object, err := strictjson.Parse(data)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, actionTime)
	defer cancel()
	var head struct {
		Event  any            `json:"event"`
		Others jsontext.Value `json:",embed"`
	}
	if err := object.Bind(&head); err != nil {
		return nil, err
	}
	if c.session.ID == "" && head.Event != "auth" {
		return nil, sentence("this connection takes no messages but auth")
	}
	if err := c.authorize(ctx, head.Event, object); err != nil {
		return nil, err
	}
	switch head.Event {
	case "auth":
		return c.renew(ctx, object)
	case "send_command":
		return nil, c.sendCommand(ctx, object)
	case "resize":
		return nil, c.resize(ctx, object)
	case "power":
		return nil, c.power(ctx, object)
	case "request_logs":
		return c.logs(ctx, object)
	default:
		return nil, sentence("event must be send_command, resize, power, request_logs or auth")
	}
}

// authorize refuses a message that the session's token may not send.
func (c *client) authorize(ctx context.Context, event any, object strictjson.Object) error {
	kind, isText := event.(string)
	if c.hub.cfg.Authorize == nil || !isText {
		return nil
	}
	if err := c.hub.cfg.Authorize(ctx, api.MessageKind(kind)); err != nil {
		c.hub.cfg.Record(ctx, Sent{Kind: api.MessageKind(kind), Action: actionOf(object), Err: err, Began: time.Now()})
		return sentence(c.hub.cfg.Explain(ctx, err))
	}
	return nil
}

// actionOf returns the action of a power message; "" of any other.
func actionOf(object strictjson.Object) string {
	var m struct {
		Action any            `json:"action"`
		Others jsontext.Value `json:",embed"`
	}
	if object.Bind(&m) != nil {
		return ""
	}
	text, _ := m.Action.(string)
	return text
}

// renew makes the connection last as long as another token. One that is refused changes
// nothing.
func (c *client) renew(ctx context.Context, object strictjson.Object) (any, error) {
	var m struct {
		Event string `json:"event"`
		Token string `json:"token"`
	}
	if err := object.Bind(&m); err != nil {
		return nil, err
	}
	if err := c.session.Renew(ctx, m.Token); err != nil {
		c.hub.cfg.Record(ctx, Sent{Kind: api.Auth, Err: err, Began: time.Now()})
		return nil, sentence(c.hub.cfg.Explain(ctx, err))
	}
	return textMessage{"daemon_message", "Token accepted"}, nil
}

func (c *client) sendCommand(ctx context.Context, object strictjson.Object) error {
	var m struct {
		Event   string `json:"event"`
		Command string `json:"command"`
	}
	if err := object.Bind(&m); err != nil {
		return err
	}
	if m.Command == "" {
		return sentence("command is required")
	}
	began := time.Now()
	err := c.input.Write(ctx, []byte(m.Command))
	c.hub.cfg.Record(ctx, Sent{Kind: api.SendCommand, Input: m.Command, Err: err, Began: began})
	return err
}

func (c *client) resize(ctx context.Context, object strictjson.Object) error {
	var m struct {
		Event string `json:"event"`
		Cols  int    `json:"cols"`
		Rows  int    `json:"rows"`
	}
	if err := object.Bind(&m); err != nil {
		return err
	}
	size := stdin.Size{Cols: m.Cols, Rows: m.Rows}
	if !size.Valid() {
		return sentence(fmt.Sprintf("cols and rows must be from 1 to %d", stdin.MaxSize))
	}
	return c.input.Resize(ctx, size)
}

func (c *client) power(ctx context.Context, object strictjson.Object) error {
	var m struct {
		Event  string `json:"event"`
		Action string `json:"action"`
	}
	if err := object.Bind(&m); err != nil {
		return err
	}
	began := time.Now()
	err := c.hub.cfg.Power(ctx, c.session.ID, m.Action)
	c.hub.cfg.Record(ctx, Sent{Kind: api.Power, Action: m.Action, Err: err, Began: began})
	if err != nil {
		return sentence(c.hub.cfg.Explain(ctx, err))
	}
	return nil
}

func (c *client) logs(ctx context.Context, object strictjson.Object) (any, error) {
	m := struct {
		Event string `json:"event"`
		Lines int    `json:"lines"`
	}{Lines: defaultLines}
	if err := object.Bind(&m); err != nil {
		return nil, err
	}
	if m.Lines < 1 || m.Lines > maxLines {
		return nil, sentence(fmt.Sprintf("lines must be from 1 to %d", maxLines))
	}
	var text textWriter
	err := c.hub.cfg.Console.History(ctx, c.session.ID, console.From{Lines: m.Lines}, func(chunk console.Chunk) error {
		text.add(chunk)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return textMessage{"logs", string(text.buf)}, nil
}

// explain makes a sentence of err. What the engine says goes to the log.
func (c *client) explain(err error) string {
	var own sentence
	var text *strictjson.Error
	switch {
	case errors.As(err, &own), errors.As(err, &text):
		return err.Error()
	case errors.Is(err, stdin.ErrNotRunning):
		return stdin.ErrNotRunning.Error()
	case errors.Is(err, stdin.ErrPaused):
		return stdin.ErrPaused.Error()
	case errors.Is(err, stdin.ErrLineTaken):
		return stdin.ErrLineTaken.Error()
	case errors.Is(err, stdin.ErrLineTooLong):
		return stdin.ErrLineTooLong.Error()
	case errors.Is(err, stdin.ErrNoTerminal):
		return stdin.ErrNoTerminal.Error()
	case errors.Is(err, console.ErrNoContainer):
		return console.ErrNoContainer.Error()
	case errors.Is(err, stdin.ErrTimeout):
		return stdin.ErrTimeout.Error()
	case errors.Is(err, streams.ErrClosed):
		return streams.ErrClosed.Error()
	default:
		c.session.Log.Warn("websocket message failed", "container", c.session.ID, "error", err)
		return "Docker cannot do this now"
	}
}
