package auth

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired/token"
	"lightd/httpapi/rest"
)

var errMasterOnly = rest.NewError(http.StatusForbidden, "master_token_required", "Only the master token may create tokens")

// CreateToken is POST /auth/tokens.
func (a *Authenticator) CreateToken(c *gin.Context) error {
	if !CallerOf(c).Grant.Master {
		return errMasterOnly
	}
	object, err := rest.Object(c)
	if err != nil {
		return err
	}
	var body struct {
		TTL         string `json:"ttl"`
		RemoveOnUse bool   `json:"remove_on_use"`
	}
	if err := object.Bind(&body); err != nil {
		return err
	}
	ttl, err := token.ParseTTL(body.TTL)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.Timeout)
	defer cancel()
	text, expires, err := a.Tokens.Create(ctx, ttl, body.RemoveOnUse)
	if err != nil {
		return err
	}
	return rest.Created(c, map[string]string{"token": text, "expires_at": expires.UTC().Format(time.RFC3339)})
}
