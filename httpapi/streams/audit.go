package streams

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"lightd/httpapi/api"
	"lightd/httpapi/audit"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/httpapi/socket"
)

// record writes what a client of a WebSocket has sent to the audit. A refusal for want of a token or a scope
// is counted as those of requests are.
func (h *Handlers) record(ctx context.Context, s socket.Sent) {
	request := auth.RequestOf(ctx)
	line := auth.AuditLine(ctx)
	line.Changes = request.Audit.TakeChanges()
	line.Method, line.Duration = audit.MethodSocket, audit.Milliseconds(s.Began, line.Time)
	status := 0
	if s.Err != nil {
		p, known := rest.ErrorOf(s.Err)
		if status, line.Code = p.Status, p.Code; !known {
			line.Code = "failed"
		}
	}
	// What is none of the actions may be anything.
	if line.Action = string(s.Kind); s.Kind == api.Power {
		line.Action = ""
		if slices.Contains([]string{"start", "stop", "kill", "restart"}, s.Action) {
			line.Action = s.Action
		}
	}
	switch {
	case s.Kind == api.Auth || status == http.StatusForbidden:
		h.audit.Denied(auth.AuditSource(ctx), line)
	case s.Kind == api.SendCommand:
		h.audit.Input(fmt.Sprintf("%p %s %s", request, line.Token, line.Code), line, s.Input)
	case s.Kind == api.Power:
		line.Event = audit.EventPower
		h.audit.Write(line)
	}
}
