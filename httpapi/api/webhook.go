package api

import (
	"time"

	"lightd/observed/journal"
)

// WebhookState says what a webhook does.
type WebhookState string

// The states of a webhook.
const (
	// WebhookIdle has delivered everything.
	WebhookIdle WebhookState = "idle"
	// WebhookDelivering has events to deliver, and no attempt has failed since the last success.
	WebhookDelivering WebhookState = "delivering"
	// WebhookFailing repeats a delivery that failed.
	WebhookFailing WebhookState = "failing"
)

// Webhook is a webhook of the configuration, and how far it is.
type Webhook struct {
	Name string `json:"name"`
	// URL has the scheme and the host alone: the others may be secret.
	URL      string         `json:"url"`
	Events   []journal.Type `json:"events"`
	Selector string         `json:"selector"`
	State    WebhookState   `json:"state"`
	// Position is the number of the last event that is delivered, or passed over; Lag how many events
	// the journal has behind it, those that the webhook does not select included.
	Position uint64 `json:"position"`
	Lag      uint64 `json:"lag"`
	// Oldest is the time of the first event of the delivery that is under way. All times are zero
	// where there is none.
	Oldest       time.Time `json:"oldest,omitzero"`
	LastDelivery time.Time `json:"last_delivery,omitzero"`
	// Failures are the attempts that have failed since the last success.
	Failures    int       `json:"failures"`
	LastError   string    `json:"last_error"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	NextAttempt time.Time `json:"next_attempt,omitzero"`
	// Missed counts the events that the journal had dropped before they were delivered, since the
	// daemon started.
	Missed uint64 `json:"missed"`
}

// Delivery is the body of a request to a webhook.
type Delivery struct {
	// ID is that of the header X-Lightd-Delivery. A repeated delivery has the same.
	ID      string `json:"delivery"`
	Webhook string `json:"webhook"`
	// Node is the id of the data directory.
	Node   string          `json:"node"`
	Events []journal.Event `json:"events"`
	Missed *Missed         `json:"missed"`
}

// Missed are events that the journal had dropped before they were delivered.
type Missed struct {
	Count uint64 `json:"count"`
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}
