package files

import (
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
)

// slots bound what is under way at once. No token has more than half of them.
type slots struct {
	total int

	mu   sync.Mutex
	used int            // guarded by mu
	by   map[string]int // guarded by mu: by the id of a token
}

func newSlots(total int) *slots { return &slots{total: total, by: map[string]int{}} }

var errTooMany = rest.NewError(http.StatusTooManyRequests, "too_many_requests", "Too many transfers or file operations are under way").With("Retry-After", "2")

// enter takes a slot for the sender of a request; leave gives it back.
func (s *slots) enter(c *gin.Context) (leave func(), err error) {
	who := auth.RequestOf(c.Request.Context()).Identity().ID
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used >= s.total || s.by[who] >= s.total/2 {
		return nil, errTooMany
	}
	s.used++
	s.by[who]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.used--
		if s.by[who]--; s.by[who] == 0 {
			delete(s.by, who)
		}
	}, nil
}
