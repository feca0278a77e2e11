package httpapi

import (
	"encoding/json"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/openapi"
)

// describe is GET /openapi.json.
func (s *Server) describe(c *gin.Context) error {
	document, err := openapi.JSON()
	if err != nil {
		return err
	}
	return ok(c, json.RawMessage(document))
}
