package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/desired/token"
	"lightd/httpapi/audit"
	"lightd/httpapi/peer"
	"lightd/httpapi/rest"
)

// HeaderRequestID names a request in the answer and in the log. A client may choose the name.
const HeaderRequestID = "X-Request-Id"

// saneRequestID is what is taken of a client for a request id: nothing that a log could mistake
// for anything else.
var saneRequestID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:+/=@-]{0,127}$`)

// Request identifies a request: its id, where it comes from, and who sent it. A log line, and whatever
// else records what was done, finds it in the context of the request.
type Request struct {
	id, remote string
	// caller is replaced when a connection goes on with another token.
	caller atomic.Pointer[Caller]
	// ended is the token of a request that was not let in, where it has ended and its record is still there.
	ended Identity
	// wrote is true once a write was accepted.
	wrote bool

	// Audit is what the request is for, and what it has done, for its line of the audit. Handlers complete
	// it before they answer.
	Audit audit.Record
	// Input is the console input that the request is to write; nil for none. The audit records it as input.
	Input *string
}

type requestKey struct{}

// RequestOf returns the request that ctx belongs to; never nil.
func RequestOf(ctx context.Context) *Request {
	if r, ok := ctx.Value(requestKey{}).(*Request); ok {
		return r
	}
	return &Request{}
}

// ID is the id of the request, which the answer has too.
func (r *Request) ID() string { return r.id }

// Remote is the address that the request comes from, without a port where it has one.
func (r *Request) Remote() string {
	if at, err := netip.ParseAddrPort(r.remote); err == nil {
		return at.Addr().Unmap().String()
	}
	return r.remote
}

// Identity names who sent a request. It has no secret.
type Identity struct {
	// ID is that of the token, Name what its maker called it.
	ID, Name string
}

// Identity returns who sent the request; the zero Identity where nobody was let in.
func (r *Request) Identity() Identity {
	if who := r.caller.Load(); who != nil {
		return Identity{ID: who.ID, Name: who.Name}
	}
	return Identity{}
}

// ActFor makes who has a grant the sender of the request of ctx, which came by what that token has signed.
func ActFor(ctx context.Context, g token.Grant) error {
	who, err := callerOf(g, "")
	if err == nil {
		RequestOf(ctx).caller.Store(who)
	}
	return err
}

// LoggedPath is the path of a request as a line of the log has it: of a link no more than what it is.
func LoggedPath(r *http.Request) string {
	for _, prefix := range []string{"/uploads/", "/downloads/"} {
		if strings.HasPrefix(r.URL.Path, prefix) {
			return prefix + "..."
		}
	}
	return r.URL.Path
}

// Attrs are r for a line of the log. It has neither the query nor the token itself.
func (r *Request) Attrs() []any {
	attrs := []any{"request_id", r.id, "remote", r.remote}
	if who := r.Identity(); who.ID != "" {
		attrs = append(attrs, "token", who.ID)
		if who.Name != "" && who.Name != who.ID {
			attrs = append(attrs, "token_name", who.Name)
		}
	}
	return attrs
}

// Identify gives every request an id, which the answer has too.
func Identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := requestID(r.Header.Values(HeaderRequestID))
		w.Header().Set(HeaderRequestID, id)
		ctx := context.WithValue(r.Context(), requestKey{}, &Request{id: id, remote: r.RemoteAddr})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// requestID is the one that the client has chosen, if it is one, or a new one.
func requestID(given []string) string {
	if len(given) == 1 && saneRequestID.MatchString(given[0]) {
		return given[0]
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// LogWrite logs that a request has written a container: who sent it, and what it changed. One that
// changed nothing is for debugging.
func (r *Request) LogWrite(ctx context.Context, log *slog.Logger, method, route string, w store.Written) {
	r.wrote = true
	r.RecordChange(w)
	level := slog.LevelInfo
	if w.Action == desired.Unchanged {
		level = slog.LevelDebug
	}
	log.Log(ctx, level, "write accepted", append(r.Attrs(), "method", method, "route", route,
		"container", w.InternalID, "action", w.Action, "generation", w.Generation)...)
}

// RecordChange adds what a write has done to a container, or would do, to the audit.
func (r *Request) RecordChange(w store.Written) {
	if w.Action != desired.Unchanged {
		r.Audit.Changes = append(r.Audit.Changes, audit.Change{
			Container: w.InternalID, Action: string(w.Action), Before: w.GenerationBefore(), Generation: w.Generation,
		})
	}
}

// AuditLine returns a line of the audit about the request of ctx: who sent it, from where, and what it has
// recorded.
func AuditLine(ctx context.Context) audit.Line {
	r, from := RequestOf(ctx), peer.From(ctx)
	by := cmp.Or(r.Identity(), r.ended)
	line := audit.Line{Time: time.Now(), RequestID: r.id, Record: r.Audit, Who: audit.Who{
		Token: by.ID, TokenName: by.Name, Certificate: from.Certificate, Remote: from.Addr.String(),
	}}
	if by.Name == by.ID {
		line.TokenName = "" // the master token
	}
	if from.Unix {
		line.Remote, line.UID, line.PID = "unix", &from.UID, from.PID
	}
	return line
}

// AuditSource names who sent the request of ctx, for lines that are counted together: the token, if there is
// a valid one, and where it comes from.
func AuditSource(ctx context.Context) string {
	return RequestOf(ctx).Identity().ID + " " + peer.From(ctx).Key()
}

// LogOther logs a write that was accepted and is of no container: of the pool, a volume, a token.
func (r *Request) LogOther(c *gin.Context, log *slog.Logger) {
	if c.Request.Method == http.MethodGet || r.wrote || r.Input != nil || c.Writer.Status() >= http.StatusBadRequest {
		return
	}
	if dry, _ := rest.DryRun(c); dry {
		return
	}
	log.Info("write accepted", append(r.Attrs(), "method", c.Request.Method, "route", c.FullPath(), "path", LoggedPath(c.Request))...)
}
