package node

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/api"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
)

// Webhooks answers the routes of webhooks.
type Webhooks struct {
	// Webhooks returns the state of each webhook.
	Webhooks func() []api.Webhook
	// TryAgain has the webhook of a name that fails try at once, and returns its state before.
	TryAgain func(name string) (state api.Webhook, found bool)
}

// List is GET /webhooks.
func (h *Webhooks) List(c *gin.Context) error {
	return rest.OK(c, map[string]any{"webhooks": rest.OrEmpty(h.Webhooks())})
}

var errNoWebhook = rest.NewError(http.StatusNotFound, "webhook_not_found", "Webhook not found")

// Retry is POST /webhooks/:name/retry.
func (h *Webhooks) Retry(c *gin.Context) error {
	if err := rest.NoBody(c); err != nil {
		return err
	}
	state, found := h.TryAgain(c.Param("name"))
	if !found {
		return errNoWebhook
	}
	auth.RequestOf(c.Request.Context()).Audit.Webhook = state.Name
	return rest.OK(c, state)
}
