package httpapi

import (
	"encoding/json"
	"sync"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/openapi"
	"lightd/httpapi/rest"
)

// openAPI is made once. It has no initializer, as the routes are among what it is made of.
var openAPI struct {
	once     sync.Once
	document map[string]any
	text     []byte
	err      error
}

// OpenAPI returns the OpenAPI document of the routes, with the scope that each of them needs, decoded and
// as JSON. The caller must not change it.
func OpenAPI() (document map[string]any, text []byte, err error) {
	openAPI.once.Do(func() {
		var needs []openapi.Need
		for _, r := range (&Server{}).routes() {
			needs = append(needs, openapi.Need{Method: r.method, Path: r.path, Scope: string(r.access.scope), Access: r.access.String()})
		}
		if openAPI.document, openAPI.err = openapi.WithNeeds(needs); openAPI.err == nil {
			openAPI.text, openAPI.err = json.MarshalIndent(openAPI.document, "", "  ")
		}
	})
	return openAPI.document, openAPI.text, openAPI.err
}

// describe is GET /openapi.json.
func describe(c *gin.Context) error {
	_, text, err := OpenAPI()
	if err != nil {
		return err
	}
	return rest.OK(c, json.RawMessage(text))
}
