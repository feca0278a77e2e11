package httpapi

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired/token"
)

var errMasterOnly = fail(http.StatusForbidden, "master_token_required", "Only the master token may create tokens")

// createToken is POST /auth/tokens.
func (s *Server) createToken(c *gin.Context) error {
	if !callerOf(c).grant.Master {
		return errMasterOnly
	}
	object, err := s.bodyObject(c)
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
	ctx, cancel := s.databaseTime(c)
	defer cancel()
	text, expires, err := s.tokens.Create(ctx, ttl, body.RemoveOnUse)
	if err != nil {
		return err
	}
	return created(c, map[string]string{"token": text, "expires_at": expires.UTC().Format(time.RFC3339)})
}
