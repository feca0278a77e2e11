package streams

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/observed/stdin"
	"lightd/observed/streams"
)

// maxCommand bounds a command in bytes, as a message of a WebSocket is.
const maxCommand = 64 << 10

var (
	errNotRead = rest.NewError(http.StatusServiceUnavailable, "input_not_read", "The program does not read its input; how much of the command it got is not known")
	errPaused  = rest.NewError(http.StatusConflict, "paused", "Container is paused in Docker")
	errNoInput = rest.NewError(http.StatusServiceUnavailable, "engine_unavailable", "The input goes to Docker, which does not answer, or fails").With("Retry-After", "5")
)

// SendCommand is POST /containers/:id/command: input of a client that has no WebSocket, as a line of its own.
func (h *Handlers) SendCommand(c *gin.Context) error {
	id, ctx := c.Param("id"), c.Request.Context()
	if _, found := auth.CallerOf(ctx).Find(h.store, id); !found {
		return desired.ErrContainerNotFound
	}
	var body struct {
		Command string `json:"command"`
	}
	if err := rest.Bind(c, &body); err != nil {
		return err
	}
	switch {
	case body.Command == "":
		return rest.Invalid(rest.Detail{Field: "command", Message: "is required"})
	case len(body.Command) > maxCommand:
		return rest.Invalid(rest.Detail{Field: "command", Message: fmt.Sprintf("must have at most %d bytes", maxCommand)})
	}
	auth.RequestOf(ctx).Input = &body.Command
	line := body.Command
	if !strings.HasSuffix(line, "\n") {
		line += "\n"
	}
	input := h.console.OpenInput(id)
	defer input.Close()
	if err := input.Write(ctx, []byte(line)); err != nil {
		return h.inputError(ctx, id, err)
	}
	return rest.OK(c, map[string]string{"message": "Command sent", "internal_id": id})
}

// inputError is how input that could not be written is answered.
func (h *Handlers) inputError(ctx context.Context, id string, err error) error {
	switch {
	case errors.Is(err, stdin.ErrNotRunning):
		refusal := rest.NewError(http.StatusConflict, "not_running", "Container is not running")
		refusal.State = h.views.State(h.views.Status(id))
		return refusal
	case errors.Is(err, stdin.ErrPaused):
		return errPaused
	case errors.Is(err, stdin.ErrLineTooLong):
		return rest.Invalid(rest.Detail{Field: "command", Message: fmt.Sprintf("has a line of more than %d bytes, which a terminal (tty) would cut", desired.MaxTerminalLine)})
	case errors.Is(err, stdin.ErrTimeout):
		return errNotRead
	case errors.Is(err, streams.ErrClosed):
		return rest.ErrStopping
	}
	h.log.Warn("command cannot be written", append(auth.RequestOf(ctx).Attrs(), "container", id, "error", err)...)
	return errNoInput
}
