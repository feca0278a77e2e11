package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"lightd/desired"
	"lightd/httpapi/api"
)

// Write is how a container is written. The zero value writes, and answers as soon as that
// is on disk.
type Write struct {
	// DryRun validates and tells what would follow, and writes nothing.
	DryRun bool
	// Wait is what to wait for, of this very write; empty for nothing.
	Wait api.Goal
	// Timeout bounds that (at most 10 min; 0 is the daemon's own, 60 s), and the end of a
	// deletion, which is waited for unasked (0: 30 s).
	Timeout time.Duration
	// Grace, of a stop, is how long the process may take before SIGKILL in the place of its spec's
	// timeout; nil for that.
	Grace *time.Duration
	// IfMatch is the ETag that the container must have, "*" for any; of an apply, that of
	// the Listing by the same selector.
	IfMatch string
	// IfNone demands that there is no container of that id; of an apply, of none of its ids.
	IfNone bool
}

// waitUnlessSaid is the daemon's own timeout of a wait.
const waitUnlessSaid = 60 * time.Second

// on puts what w says into a request. A repetition would find its own first attempt in the
// way of a precondition.
func (w Write) on(r request) request {
	r.query, r.header = url.Values{}, http.Header{}
	if w.DryRun {
		r.query.Set("dry_run", "true")
	}
	if w.Wait != "" {
		r.query.Set("wait", string(w.Wait))
		r.waits = waitUnlessSaid
	}
	if w.Timeout > 0 {
		r.query.Set("timeout", w.Timeout.String())
		r.waits = w.Timeout
	}
	if w.Grace != nil {
		r.query.Set("grace", w.Grace.String())
	}
	if w.IfMatch != "" {
		r.header.Set("If-Match", w.IfMatch)
	}
	if w.IfNone {
		r.header.Set("If-None-Match", "*")
	}
	r.repeats = r.repeats && w.IfMatch == "" && !w.IfNone
	return r
}

// Receipt answers a write that was accepted, or a dry run, which has a Plan.
type Receipt struct {
	api.Receipt
	// ETag is that of the container as it was written.
	ETag string `json:"-"`
	// Status is that of HTTP: 201 for a container that was created, 202 when what was
	// waited for has not come or cannot.
	Status int `json:"-"`
}

// Pending reports whether the write was accepted and what was waited for has not come: the
// goal of the write, or the end of a deletion.
func (r Receipt) Pending() bool { return r.Status == http.StatusAccepted }

// Unmet returns an *Unmet when what the write waited for has not come, else nil.
func (r Receipt) Unmet() error { return waitError(r.Receipt) }

func waitError(r api.Receipt) error {
	if r.Wait == nil || r.Wait.Met {
		return nil
	}
	return &WaitError{InternalID: r.InternalID, Wait: *r.Wait}
}

func (c *Client) write(ctx context.Context, r request, w Write) (Receipt, error) {
	var receipt Receipt
	a, err := c.call(ctx, w.on(r), &receipt.Receipt)
	receipt.ETag, receipt.Status = a.header.Get("ETag"), a.status
	if err != nil {
		return Receipt{}, err
	}
	return receipt, nil
}

// Create makes a container; ErrConflict when there is one of its id.
func (c *Client) Create(ctx context.Context, spec desired.Spec, w Write) (Receipt, error) {
	return c.write(ctx, request{method: http.MethodPost, path: "/containers", body: spec.Normalize()}, w)
}

// Put makes a container, or gives it this whole spec. Saying the same again changes
// nothing.
func (c *Client) Put(ctx context.Context, spec desired.Spec, w Write) (Receipt, error) {
	return c.put(ctx, spec.InternalID, spec.Normalize(), w)
}

// PutDocument is Put of a spec in JSON; what it leaves out gets the daemon's default.
func (c *Client) PutDocument(ctx context.Context, id string, document json.RawMessage, w Write) (Receipt, error) {
	return c.put(ctx, id, document, w)
}

func (c *Client) put(ctx context.Context, id string, spec any, w Write) (Receipt, error) {
	return c.write(ctx, request{method: http.MethodPut, path: pathOf("containers", id), body: spec, repeats: true}, w)
}

// Patch changes a spec by a JSON merge patch (RFC 7396): whatever encodes to an object
// with the members that change, in which null stands for a default.
func (c *Client) Patch(ctx context.Context, id string, patch any, w Write) (Receipt, error) {
	return c.write(ctx, request{method: http.MethodPatch, path: pathOf("containers", id), body: patch, media: mediaMerge, repeats: true}, w)
}

// deleteWaits is how long the daemon waits for the end of a deletion.
const deleteWaits = 30 * time.Second

// Delete removes a container and returns when it is gone, or Pending after the Timeout of w;
// it goes on then. Its volume stays. A container that is found gone after an attempt whose
// outcome was unknown counts as deleted, with the generation 0.
func (c *Client) Delete(ctx context.Context, id string, w Write) (Receipt, error) {
	r := w.on(request{method: http.MethodDelete, path: pathOf("containers", id), repeats: true, waits: deleteWaits})
	var receipt Receipt
	a, err := c.remove(ctx, r, &receipt.Receipt)
	if err != nil {
		return Receipt{}, err
	}
	receipt.ETag, receipt.Status = a.header.Get("ETag"), a.status
	receipt.InternalID = id
	return receipt, nil
}

// remove is a call that deletes. What an earlier attempt may have deleted is not missed.
func (c *Client) remove(ctx context.Context, r request, out any) (answer, error) {
	a, err := c.call(ctx, r, out)
	if a.repeated && isStatus(err, http.StatusNotFound) {
		return answer{status: http.StatusOK}, nil
	}
	return a, err
}

// Action is a verb about the process of a container.
type Action string

// The actions.
const (
	Start Action = "start"
	// Stop is graceful, Kill is SIGKILL.
	Stop    Action = "stop"
	Kill    Action = "kill"
	Restart Action = "restart"
)

// Power writes what the process of a container should do. Start does nothing while it
// starts or runs, and ends a backoff.
func (c *Client) Power(ctx context.Context, id string, a Action, w Write) (Receipt, error) {
	return c.write(ctx, request{method: http.MethodPost, path: pathOf("containers", id, string(a))}, w)
}

// SendCommand writes a command to the standard input of a container's process, as a line of its own;
// ErrConflict where none runs. It is never sent again: after ErrUnknownOutcome the process may have it.
func (c *Client) SendCommand(ctx context.Context, id, command string) error {
	body := map[string]string{"command": command}
	_, err := c.call(ctx, request{method: http.MethodPost, path: pathOf("containers", id, "command"), body: body}, nil)
	return err
}

// Reinstall is what a reinstallation may change; nil leaves it as it is.
type Reinstall struct {
	Image *string `json:"image,omitempty"`
	// InstallScript and Install each take the place of both; only one may be given.
	InstallScript *string          `json:"install_script,omitempty"`
	Install       *desired.Install `json:"install,omitempty"`
}

// Reinstall installs a container again. The data of its volume stays.
func (c *Client) Reinstall(ctx context.Context, id string, change Reinstall, w Write) (Receipt, error) {
	return c.write(ctx, request{method: http.MethodPost, path: pathOf("containers", id, "reinstall"), body: change}, w)
}

// Rebind has a container bind these ports, and no others, and use another image unless that is empty.
func (c *Client) Rebind(ctx context.Context, id string, ports []desired.Port, image string, w Write) (Receipt, error) {
	body := struct {
		Ports []desired.Port `json:"ports"`
		Image string         `json:"image,omitempty"`
	}{make([]desired.Port, 0, len(ports)), image}
	for _, p := range ports {
		body.Ports = append(body.Ports, p.Normalize())
	}
	return c.write(ctx, request{method: http.MethodPost, path: pathOf("containers", id, "rebind-network"), body: body}, w)
}

// Wait waits until a container's present spec has reached a goal, as long as ctx lasts or,
// unless it is 0, timeout. The error is an *Unmet when it has not, or cannot.
func (c *Client) Wait(ctx context.Context, id string, goal api.Goal, timeout time.Duration) (Receipt, error) {
	var end time.Time
	if timeout > 0 {
		end = time.Now().Add(timeout)
	}
	for {
		// In parts, so that nothing on the way takes the connection for a dead one.
		part := waitPart
		if timeout > 0 {
			part = max(min(part, time.Until(end).Round(time.Millisecond)), time.Millisecond) // the daemon repeats it to people
		}
		receipt, err := c.write(ctx, get("containers", id, "wait"), Write{Wait: goal, Timeout: part})
		if err != nil {
			return receipt, err
		}
		missed := receipt.Unmet()
		var u *WaitError
		if !asWaitError(missed, &u) || !u.TimedOut() || timeout > 0 && !time.Now().Before(end) {
			return receipt, missed
		}
	}
}

// waitPart is how long Wait holds one connection.
const waitPart = 45 * time.Second

// List is what an apply says: the containers as they should be, all or nothing.
type List struct {
	// Specs come first, then Documents, which are specs in JSON; what those leave out gets
	// the daemon's default.
	Specs     []desired.Spec
	Documents []json.RawMessage
	// Volumes and Ports of the pool are made where there are none, with the containers or not at all.
	Volumes []api.ApplyVolume
	Ports   []desired.PortRange
	// VolumeDocuments and PortDocuments come after them, in JSON.
	VolumeDocuments, PortDocuments []json.RawMessage
	// Prune deletes what Selector matches and the list lacks.
	Prune    bool
	Selector string
}

// MarshalJSON writes the body of the request.
func (l List) MarshalJSON() ([]byte, error) {
	specs := make([]desired.Spec, len(l.Specs))
	for i, s := range l.Specs {
		specs[i] = s.Normalize()
	}
	return json.Marshal(struct {
		Volumes    []any  `json:"volumes,omitempty"`
		Ports      []any  `json:"ports,omitempty"`
		Containers []any  `json:"containers"`
		Prune      bool   `json:"prune,omitempty"`
		Selector   string `json:"selector,omitempty"`
	}{joined(l.Volumes, l.VolumeDocuments), joined(l.Ports, l.PortDocuments), joined(specs, l.Documents), l.Prune, l.Selector})
}

// joined is a list of values and, behind them, of documents; never nil.
func joined[T any](values []T, documents []json.RawMessage) []any {
	all := make([]any, 0, len(values)+len(documents))
	for _, v := range values {
		all = append(all, v)
	}
	for _, d := range documents {
		all = append(all, d)
	}
	return all
}

// Applied answers an apply.
type Applied struct {
	api.Applied
	// Status is that of HTTP, as in Receipt.
	Status int `json:"-"`
}

// Pending reports whether something that was waited for has not come.
func (a Applied) Pending() bool { return a.Status == http.StatusAccepted }

// Unmet returns the *Unmet of the first container for which what was waited for has not
// come, else nil.
func (a Applied) Unmet() error {
	for _, r := range a.Containers {
		if err := waitError(r); err != nil {
			return err
		}
	}
	return nil
}

// Apply makes true what l says, in one transaction. Saying the same again changes nothing.
func (c *Client) Apply(ctx context.Context, l List, w Write) (Applied, error) {
	var applied Applied
	a, err := c.call(ctx, w.on(request{method: http.MethodPost, path: "/apply", body: l, repeats: true}), &applied.Applied)
	if err != nil {
		return Applied{}, err
	}
	applied.Status = a.status
	return applied, nil
}
