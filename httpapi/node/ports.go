package node

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/httpapi/strictjson"
)

// Pool reads the pool of ports.
type Pool interface {
	Ports() ([]desired.PoolPort, error)
	Port(e desired.Endpoint) (desired.PoolPort, error)
	RandomPort(p desired.Protocol) (desired.PoolPort, error)
}

// Ports answers the routes of the pool.
type Ports struct {
	Pool         Pool
	Containers   Containers
	Transactions rest.Transactions
	// Revision is that of the store now.
	Revision func() uint64
}

// Add is POST /network/ports: one port, or a range.
func (h *Ports) Add(c *gin.Context) error {
	var body desired.PortRange
	if err := rest.Bind(c, &body); err != nil {
		return err
	}
	eps, err := body.Endpoints()
	if err != nil {
		return err
	}
	first := eps[0]
	recordPorts(c, eps)
	dryRun, err := h.write(c, func(tx *store.Tx) error { return tx.AddPorts(eps) })
	if err != nil || dryRun {
		return err
	}
	if body.Ports != nil {
		return rest.Created(c, map[string]any{"message": "Added " + countPorts(eps) + " to pool",
			"ip": first.IP, "ports": *body.Ports, "protocol": first.Protocol, "added_count": len(eps)})
	}
	return rest.Created(c, struct {
		Message string `json:"message"`
		desired.Endpoint
	}{"Port added to pool", first})
}

// List is GET /network/ports.
func (h *Ports) List(c *gin.Context) error {
	p, err := rest.PageOf(c.Request.URL.Query(), "ports")
	if err != nil {
		return err
	}
	revision, who := h.Revision(), auth.CallerOf(c.Request.Context())
	ports, err := h.Pool.Ports()
	if err != nil {
		return err
	}
	ports = slices.DeleteFunc(ports, func(p desired.PoolPort) bool { return !h.shows(who, p) })
	// In the order of what the token of a page is made of.
	slices.SortFunc(ports, func(a, b desired.PoolPort) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port), cmp.Compare(a.IP, b.IP))
	})
	part, next := rest.Cut(p, ports, func(p desired.PoolPort) string { return fmt.Sprintf("%s %05d %s", p.Protocol, p.Port, p.IP) })
	return rest.ReplyPage(c, p, rest.OrEmpty(part), revision, next)
}

// shows reports whether a port is for a caller: one whose token is for some containers is shown theirs.
func (h *Ports) shows(who *auth.Caller, p desired.PoolPort) bool {
	if !who.Bound() {
		return true
	}
	_, found := who.Find(h.Containers, p.InternalID)
	return found
}

// Random is GET /network/ports/random.
func (h *Ports) Random(c *gin.Context) error {
	protocol := desired.Protocol(strings.ToLower(c.Query(rest.QueryProtocol)))
	if protocol != "" && protocol != desired.TCP && protocol != desired.UDP {
		return rest.Invalid(rest.Detail{Field: rest.QueryProtocol, Message: "must be tcp or udp"})
	}
	port, err := h.Pool.RandomPort(protocol)
	if rest.IsError(err, desired.ErrNoPorts) || err == nil && !h.shows(auth.CallerOf(c.Request.Context()), port) {
		return rest.NewError(http.StatusNotFound, "no_free_port", desired.ErrNoPorts.Error())
	}
	if err != nil {
		return err
	}
	return rest.OK(c, port)
}

// endpointOf reads the port that the path names.
func endpointOf(c *gin.Context) (desired.Endpoint, error) {
	port, err := desired.ParsePort(c.Param("port"))
	if err != nil {
		return desired.Endpoint{}, rest.Invalid(rest.Detail{Field: "port", Message: "must be from 1 to 65535"})
	}
	return desired.Endpoint{IP: c.Param("ip"), Port: port, Protocol: desired.Protocol(c.Query(rest.QueryProtocol))}, nil
}

// Get is GET /network/ports/:ip/:port.
func (h *Ports) Get(c *gin.Context) error {
	e, err := endpointOf(c)
	if err != nil {
		return err
	}
	port, err := h.Pool.Port(e)
	if err != nil {
		return err
	}
	if !h.shows(auth.CallerOf(c.Request.Context()), port) {
		return fmt.Errorf("%w: %s", desired.ErrPortNotFound, port.Endpoint)
	}
	return rest.OK(c, port)
}

// Use is PUT /network/ports/:ip/:port/use.
func (h *Ports) Use(c *gin.Context) error {
	var body struct {
		InUse *bool `json:"in_use"`
	}
	if err := rest.Bind(c, &body); err != nil {
		return err
	}
	if body.InUse == nil {
		return rest.Invalid(rest.Detail{Field: "in_use", Message: "is required"})
	}
	e, err := endpointOf(c)
	if err != nil {
		return err
	}
	recordPorts(c, []desired.Endpoint{e})
	var port desired.PoolPort
	dryRun, err := h.write(c, func(tx *store.Tx) (err error) {
		port, err = tx.UsePort(e, *body.InUse)
		return err
	})
	if err != nil || dryRun {
		return err
	}
	return rest.OK(c, api.UsedPort{Message: "Port usage updated", PoolPort: port})
}

// Delete is DELETE /network/ports/:ip/:port.
func (h *Ports) Delete(c *gin.Context) error {
	if err := rest.NoBody(c); err != nil {
		return err
	}
	e, err := endpointOf(c)
	if err != nil {
		return err
	}
	recordPorts(c, []desired.Endpoint{e})
	dryRun, err := h.write(c, func(tx *store.Tx) error { return tx.DeletePorts([]desired.Endpoint{e}) })
	if err != nil || dryRun {
		return err
	}
	return rest.OK(c, map[string]string{"message": "Port deleted from pool"})
}

// DeleteMany is POST /network/ports/bulk-delete.
func (h *Ports) DeleteMany(c *gin.Context) error {
	object, err := rest.Object(c)
	if err != nil {
		return err
	}
	eps, err := bindEndpoints(object)
	if err != nil {
		return err
	}
	recordPorts(c, eps)
	dryRun, err := h.write(c, func(tx *store.Tx) error { return tx.DeletePorts(eps) })
	if err != nil || dryRun {
		return err
	}
	return rest.OK(c, map[string]any{
		"message": "Deleted " + countPorts(eps) + " from pool", "deleted_count": len(eps),
	})
}

// recordPorts adds the ports of a write to the audit: the first one, and how many. What is no address, or no
// protocol, is not repeated.
func recordPorts(c *gin.Context, eps []desired.Endpoint) {
	record := &auth.RequestOf(c.Request.Context()).Audit
	record.Ports = len(eps)
	if len(eps) == 0 {
		return
	}
	first := desired.Endpoint{IP: desired.NormalIP(eps[0].IP), Port: eps[0].Port, Protocol: desired.NormalProtocol(eps[0].Protocol)}
	if _, err := netip.ParseAddr(first.IP); err == nil && (first.Protocol == desired.TCP || first.Protocol == desired.UDP) {
		record.Port = first.String()
	}
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
		return nil, rest.Invalid(rest.Detail{Field: "ports", Message: "is required"})
	}
	first := map[desired.Endpoint]int{}
	for i, e := range body.Ports {
		e.IP, e.Protocol = desired.NormalIP(e.IP), desired.NormalProtocol(e.Protocol)
		if before, twice := first[e]; twice {
			return nil, rest.Invalid(rest.Detail{Field: fmt.Sprintf("ports[%d]", i), Message: fmt.Sprintf("is that of ports[%d]", before)})
		}
		first[e] = i
	}
	return body.Ports, nil
}

// write runs fn in a transaction; or only tries it, and has answered then.
func (h *Ports) write(c *gin.Context, fn func(*store.Tx) error) (dryRun bool, err error) {
	if dryRun, err = rest.DryRun(c); err != nil {
		return false, err
	}
	if err := h.Transactions.Run(c.Request.Context(), dryRun, fn); err != nil || !dryRun {
		return dryRun, err
	}
	return true, noPlan(c)
}

// noPlan answers the dry run of what no step follows from; loses names the data that would go.
func noPlan(c *gin.Context, loses ...string) error {
	return rest.OK(c, api.Plan{Steps: []plan.Step{}, Keeps: []string{}, Loses: rest.OrEmpty(loses)})
}
