package httpapi

import (
	"encoding/json"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/openapi"
	"lightd/httpapi/rest"
)

// describe is GET /openapi.json.
func describe(c *gin.Context) error {
	document, err := openapi.JSON()
	if err != nil {
		return err
	}
	return rest.OK(c, json.RawMessage(document))
}
