package httpapi

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/strictjson"
)

// addPorts is POST /network/ports: one port, or a range.
func (s *Server) addPorts(c *gin.Context) error {
	object, err := s.bodyObject(c)
	if err != nil {
		return err
	}
	var body struct {
		IP       string           `json:"ip"`
		Port     *int             `json:"port"`
		Ports    *string          `json:"ports"`
		Protocol desired.Protocol `json:"protocol"`
	}
	if err := object.Bind(&body); err != nil {
		return err
	}
	switch {
	case body.Port == nil && body.Ports == nil:
		return invalid(Detail{Field: "port", Message: "or ports is required"})
	case body.Port != nil && body.Ports != nil:
		return invalid(Detail{Field: "ports", Message: "must not be given together with port"})
	}
	first := desired.Endpoint{IP: desired.NormalIP(body.IP), Protocol: desired.NormalProtocol(body.Protocol)}
	last := 0
	if body.Port != nil {
		first.Port, last = *body.Port, *body.Port
	} else if first.Port, last, err = parseRange(*body.Ports); err != nil {
		return err
	}
	eps := make([]desired.Endpoint, 0, last-first.Port+1)
	for port := first.Port; port <= last; port++ {
		eps = append(eps, desired.Endpoint{IP: first.IP, Port: port, Protocol: first.Protocol})
	}
	dryRun, err := s.writePool(c, func(tx *store.Tx) error { return tx.AddPorts(eps) })
	if err != nil || dryRun {
		return err
	}
	if body.Ports != nil {
		return created(c, map[string]any{"message": "Added " + countPorts(eps) + " to pool",
			"ip": first.IP, "ports": *body.Ports, "protocol": first.Protocol, "added_count": len(eps)})
	}
	return created(c, struct {
		Message string `json:"message"`
		desired.Endpoint
	}{"Port added to pool", first})
}

// parseRange reads "25565-25600", or a single port.
func parseRange(text string) (first, last int, err error) {
	low, high, isRange := strings.Cut(text, "-")
	if !isRange {
		high = low
	}
	first, errLow := parsePort(low)
	last, errHigh := parsePort(high)
	if errLow != nil || errHigh != nil || first > last {
		return 0, 0, invalid(Detail{Field: "ports", Message: `must be a range such as "25565-25600", of ports from 1 to 65535`})
	}
	return first, last, nil
}

var errPort = errors.New("not a port from 1 to 65535")

func parsePort(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, errPort
	}
	return int(n), nil
}

// listPorts is GET /network/ports.
func (s *Server) listPorts(c *gin.Context) error {
	p, err := pageOf(c.Request.URL.Query(), "ports")
	if err != nil {
		return err
	}
	revision := s.revision()
	ports, err := s.ports.Ports()
	if err != nil {
		return err
	}
	// In the order of what the token of a page is made of.
	slices.SortFunc(ports, func(a, b desired.PoolPort) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port), cmp.Compare(a.IP, b.IP))
	})
	part, next := cut(p, ports, func(p desired.PoolPort) string { return fmt.Sprintf("%s %05d %s", p.Protocol, p.Port, p.IP) })
	return replyPage(c, p, orEmpty(part), revision, next)
}

// randomPort is GET /network/ports/random.
func (s *Server) randomPort(c *gin.Context) error {
	protocol := desired.Protocol(strings.ToLower(c.Query(protocolQuery)))
	if protocol != "" && protocol != desired.TCP && protocol != desired.UDP {
		return invalid(Detail{Field: protocolQuery, Message: "must be tcp or udp"})
	}
	port, err := s.ports.RandomPort(protocol)
	if isError(err, desired.ErrNoPorts) {
		return fail(http.StatusNotFound, "no_free_port", desired.ErrNoPorts.Error())
	}
	if err != nil {
		return err
	}
	return ok(c, port)
}

// endpointOf reads the port that the path names.
func endpointOf(c *gin.Context) (desired.Endpoint, error) {
	port, err := parsePort(c.Param("port"))
	if err != nil {
		return desired.Endpoint{}, invalid(Detail{Field: "port", Message: "must be from 1 to 65535"})
	}
	return desired.Endpoint{IP: c.Param("ip"), Port: port, Protocol: desired.Protocol(c.Query(protocolQuery))}, nil
}

// getPort is GET /network/ports/:ip/:port.
func (s *Server) getPort(c *gin.Context) error {
	e, err := endpointOf(c)
	if err != nil {
		return err
	}
	port, err := s.ports.Port(e)
	if err != nil {
		return err
	}
	return ok(c, port)
}

// usePort is PUT /network/ports/:ip/:port/use.
func (s *Server) usePort(c *gin.Context) error {
	object, err := s.bodyObject(c)
	if err != nil {
		return err
	}
	var body struct {
		InUse *bool `json:"in_use"`
	}
	if err := object.Bind(&body); err != nil {
		return err
	}
	if body.InUse == nil {
		return invalid(Detail{Field: "in_use", Message: "is required"})
	}
	e, err := endpointOf(c)
	if err != nil {
		return err
	}
	var port desired.PoolPort
	dryRun, err := s.writePool(c, func(tx *store.Tx) (err error) {
		port, err = tx.UsePort(e, *body.InUse)
		return err
	})
	if err != nil || dryRun {
		return err
	}
	return ok(c, port)
}

// deletePort is DELETE /network/ports/:ip/:port.
func (s *Server) deletePort(c *gin.Context) error {
	if err := s.noBody(c); err != nil {
		return err
	}
	e, err := endpointOf(c)
	if err != nil {
		return err
	}
	dryRun, err := s.writePool(c, func(tx *store.Tx) error { return tx.DeletePorts([]desired.Endpoint{e}) })
	if err != nil || dryRun {
		return err
	}
	return ok(c, map[string]string{"message": "Port deleted from pool"})
}

// deletePorts is POST /network/ports/bulk-delete.
func (s *Server) deletePorts(c *gin.Context) error {
	object, err := s.bodyObject(c)
	if err != nil {
		return err
	}
	eps, err := bindEndpoints(object)
	if err != nil {
		return err
	}
	dryRun, err := s.writePool(c, func(tx *store.Tx) error { return tx.DeletePorts(eps) })
	if err != nil || dryRun {
		return err
	}
	return ok(c, map[string]any{
		"message": "Deleted " + countPorts(eps) + " from pool", "deleted_count": len(eps),
	})
}

func countPorts(eps []desired.Endpoint) string {
	if len(eps) == 1 {
		return "1 port"
	}
	return fmt.Sprintf("%d ports", len(eps))
}

func bindEndpoints(object strictjson.Object) ([]desired.Endpoint, error) {
	var body struct {
		Ports []desired.Endpoint `json:"ports"`
	}
	if err := object.Bind(&body); err != nil {
		return nil, err
	}
	if len(body.Ports) == 0 {
		return nil, invalid(Detail{Field: "ports", Message: "is required"})
	}
	first := map[desired.Endpoint]int{}
	for i, e := range body.Ports {
		e.IP, e.Protocol = desired.NormalIP(e.IP), desired.NormalProtocol(e.Protocol)
		if before, twice := first[e]; twice {
			return nil, invalid(Detail{Field: fmt.Sprintf("ports[%d]", i), Message: fmt.Sprintf("is that of ports[%d]", before)})
		}
		first[e] = i
	}
	return body.Ports, nil
}

// writePool runs fn in a transaction; or only tries it, and has answered then.
func (s *Server) writePool(c *gin.Context, fn func(*store.Tx) error) (dryRun bool, err error) {
	if dryRun, err = dryRunOf(c); err != nil {
		return false, err
	}
	if err := s.transact(c, dryRun, fn); err != nil || !dryRun {
		return dryRun, err
	}
	return true, noPlan(c)
}
