package audit

import (
	"encoding/json"
	"fmt"
	"time"
)

// Event is what a line is about.
type Event string

// The events.
const (
	// EventWrite is a request that writes, or was to write.
	EventWrite Event = "write"
	// EventDenied is a request without a valid token, or whose token may not do it.
	EventDenied Event = "denied"
	// EventPower is a power action of a client of a WebSocket.
	EventPower Event = "power"
	// EventInput is console input.
	EventInput Event = "input"
	// EventMaster is a change of the master token, or the end of the one before.
	EventMaster Event = "master"
	// EventLost counts lines that could not be written.
	EventLost Event = "lost"
)

// MethodSocket is the method of a message of a WebSocket.
const MethodSocket = "WEBSOCKET"

// Line is one line of the audit. What does not apply is left out of its JSON.
type Line struct {
	Time      time.Time `json:"time"`
	Event     Event     `json:"event"`
	RequestID string    `json:"request_id,omitempty"`
	Who
	Method string `json:"method,omitempty"`
	Action string `json:"action,omitempty"`
	Record
	Status   int     `json:"status,omitempty"`
	Duration float64 `json:"duration_ms,omitempty"`
	// Bytes is the size of console input; Text is the input itself.
	Bytes int64  `json:"bytes,omitempty"`
	Text  string `json:"text,omitempty"`
	// Count is how many requests the line is for, the first of them at Since; 0 for one. Of the end of a
	// master token it is how many tokens ended with it.
	Count int       `json:"count,omitempty"`
	Since time.Time `json:"since,omitzero"`
}

// Who is who sent a request, and from where.
type Who struct {
	Token       string  `json:"token,omitempty"`
	TokenName   string  `json:"token_name,omitempty"`
	Certificate string  `json:"certificate,omitempty"`
	UID         *uint32 `json:"uid,omitempty"`
	PID         int32   `json:"pid,omitempty"`
	Remote      string  `json:"remote,omitempty"`
}

// Record is what a request was for, and what it has done. Its handlers complete it.
type Record struct {
	Route     string   `json:"route,omitempty"`
	Container string   `json:"container,omitempty"`
	Changes   []Change `json:"changes,omitempty"`
	Volume    string   `json:"volume,omitempty"`
	Port      string   `json:"port,omitempty"`
	Ports     int      `json:"ports,omitempty"`
	MadeToken string   `json:"made_token,omitempty"`
	Webhook   string   `json:"webhook,omitempty"`
	// Op is what is done to the node (cordon, drain, uncordon), or to files of a volume: Path is the first of them, To where it is to be, and Paths how many
	// of several there are.
	Op    string `json:"op,omitempty"`
	Path  string `json:"path,omitempty"`
	To    string `json:"to,omitempty"`
	Paths int    `json:"paths,omitempty"`
	// Link reports that the request came by a link that the token has made.
	Link   bool `json:"link,omitempty"`
	DryRun bool `json:"dry_run,omitempty"`
	// Code is that of the error that the request was answered with.
	Code string `json:"code,omitempty"`
}

// Change is a container as a write has left it.
type Change struct {
	Container string `json:"container"`
	Action    string `json:"action"`
	// Before is the generation before, 0 for a container that was created.
	Before     int64 `json:"generation_before"`
	Generation int64 `json:"generation"`
}

// TakeChanges returns the changes, and leaves none.
func (r *Record) TakeChanges() []Change {
	changes := r.Changes
	r.Changes = nil
	return changes
}

// Milliseconds is the time between two times as a line has it.
func Milliseconds(from, to time.Time) float64 { return float64(to.Sub(from).Microseconds()) / 1000 }

// encode returns the line with its line break, which it contains nowhere else.
func (l Line) encode() []byte {
	l.Time = l.Time.UTC()
	if !l.Since.IsZero() {
		l.Since = l.Since.UTC()
	}
	data, err := json.Marshal(l)
	if err != nil {
		panic(fmt.Sprintf("encode an audit line: %v", err)) // it has nothing that JSON cannot hold
	}
	return append(data, '\n')
}
