package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"lightd/desired/store"
)

// maxPage bounds the elements of a page.
const maxPage = 1000

// page is the part of a list that a request asks for. Lists are sorted by a key that never
// changes, and a page begins after the key that the one before ended with: what is there all
// the while is in one page exactly, whatever is made or deleted meanwhile.
type page struct {
	// list names the list: a token of one is none of another.
	list  string
	limit int
	after string
}

// pageOf reads it; without a limit the page has all that follows.
func pageOf(query url.Values, list string) (page, error) {
	p := page{list: list}
	limit, err := number(query, limitQuery, math.MaxInt32, 1, maxPage)
	if err != nil {
		return p, err
	}
	p.limit = int(limit)
	token, given := query[continueQuery]
	if !given {
		return p, nil
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(token[0])
	name, after, ok := strings.Cut(string(data), "\n")
	if err != nil || !ok || name != list || after == "" {
		return p, invalid(Detail{Field: continueQuery, Message: "must be the continue of an answer of this list"})
	}
	p.after = after
	return p, nil
}

// cut returns the elements of a list, sorted by key, that are on the page; and the token of the
// next one, empty where none follows.
func cut[T any](p page, list []T, key func(T) string) (part []T, next string) {
	from, found := slices.BinarySearchFunc(list, p.after, func(e T, after string) int { return strings.Compare(key(e), after) })
	if found {
		from++
	}
	rest := list[from:]
	if len(rest) <= p.limit {
		return rest, ""
	}
	part = rest[:p.limit]
	return part, base64.RawURLEncoding.EncodeToString([]byte(p.list + "\n" + key(part[len(part)-1])))
}

// replyPage answers with a page of a list. Its entity tag leaves the revision out, which every
// write raises: a list that is as it was is not sent again, and an older revision shows a watch
// no less.
func replyPage(c *gin.Context, p page, elements any, revision uint64, next string) error {
	data, err := json.Marshal(elements)
	if err != nil {
		return err
	}
	c.Header("ETag", tagOfRead(c.Writer.Header().Get("ETag"), append(data, next...)))
	body := map[string]any{p.list: json.RawMessage(data), "revision": revision}
	if next != "" {
		body[continueQuery] = next
	}
	return ok(c, body)
}

// revision is that of the store now.
func (s *Server) revision() (revision uint64) {
	s.database.AtSnapshot(func(at store.Snapshot) { revision = at.Revision })
	return revision
}
