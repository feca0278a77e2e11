package client

import (
	"encoding/json"
	"fmt"

	"lightd/httpapi/api"
	"lightd/observed"
	"lightd/observed/journal"
)

// Message is what a WebSocket tells. Kind says which of the other fields counts.
type Message struct {
	Kind api.MessageKind
	// InternalID is the container that a message of all containers is about.
	InternalID string
	// Word is that of an `event`.
	Word api.Word
	// Text is that of `console`, `logs` and `daemon_message`.
	Text string
	// Position is where a `console` ends, for From.Since.
	Position string
	// Lifecycle is the event of a `lifecycle`.
	Lifecycle *journal.Event
	// Stats are those of a `stats`.
	Stats *observed.Stats
}

// decode reads a message; a kind that is not known has its Kind alone.
func decode(data []byte) (Message, error) {
	var m struct {
		Kind       api.MessageKind `json:"event"`
		InternalID string          `json:"internal_id"`
		Data       json.RawMessage `json:"data"`
		Position   string          `json:"position"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return Message{}, fmt.Errorf("read a message: %w", err)
	}
	out := Message{Kind: m.Kind, InternalID: m.InternalID, Position: m.Position}
	var err error
	switch m.Kind {
	case api.MessageWord:
		err = json.Unmarshal(m.Data, &out.Word)
	case api.MessageConsole, api.MessageLogs, api.MessageDaemon:
		err = json.Unmarshal(m.Data, &out.Text)
	case api.MessageLifecycle:
		err = json.Unmarshal(data, &out.Lifecycle)
	case api.MessageStats:
		err = json.Unmarshal(data, &out.Stats)
	}
	if err != nil {
		return Message{}, fmt.Errorf("read a message of kind %q: %w", m.Kind, err)
	}
	return out, nil
}
