package httpapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

const maxTTL = 30 * 24 * time.Hour

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
	ttl, valid := parseTTL(body.TTL)
	if !valid {
		return invalid(Detail{Field: "ttl", Message: `must be a number with s, m, h or d, such as "1h", of at most 30d`})
	}
	ctx, cancel := s.databaseTime(c)
	defer cancel()
	secret, expires, err := s.tokens.Create(ctx, ttl, body.RemoveOnUse)
	if err != nil {
		return err
	}
	return created(c, map[string]string{"token": secret, "expires_at": expires.UTC().Format(time.RFC3339)})
}

// parseTTL reads one whole number and its unit.
func parseTTL(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	unit, known := map[byte]time.Duration{
		's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour,
	}[text[len(text)-1]]
	n, err := strconv.ParseInt(text[:len(text)-1], 10, 64)
	if !known || err != nil || strings.HasPrefix(text, "+") || n < 1 || n > int64(maxTTL/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
