package node

import (
	"github.com/gin-gonic/gin"

	"lightd/httpapi/api"
	"lightd/httpapi/rest"
)

// Webhooks answers the route of webhooks.
type Webhooks struct {
	// Webhooks returns the state of each webhook.
	Webhooks func() []api.Webhook
}

// List is GET /webhooks.
func (h *Webhooks) List(c *gin.Context) error {
	return rest.OK(c, map[string]any{"webhooks": rest.OrEmpty(h.Webhooks())})
}
