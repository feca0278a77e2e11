package containers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/httpapi/rest"
	"lightd/httpapi/view"
	"lightd/observed/status"
)

var (
	errReinstallInstalling = rest.NewError(http.StatusConflict, "installing", "Cannot reinstall while container is installing")
	errRebindInstalling    = rest.NewError(http.StatusConflict, "installing", "Cannot rebind network while container is installing")
)

func (h *Handlers) installing(c *desired.Container) bool {
	return view.InstallState(*c, h.views.Status(c.InternalID)) == status.Installing
}

// Reinstall is POST /containers/:id/reinstall.
func (h *Handlers) Reinstall(c *gin.Context) error {
	w, err := h.newWrite(c)
	if err != nil {
		return err
	}
	var body struct {
		Image         *string          `json:"image"`
		InstallScript *string          `json:"install_script"`
		Install       *desired.Install `json:"install"`
	}
	if err := rest.BindOptional(c, &body); err != nil {
		return err
	}
	if body.InstallScript != nil && body.Install != nil {
		return rest.Invalid(rest.Detail{Field: "install", Message: "must not be given beside install_script, which is its short form"})
	}
	return h.change(w, "Container reinstall started", func(container *desired.Container) error {
		if h.installing(container) {
			return errReinstallInstalling
		}
		if body.Image != nil {
			container.Image = *body.Image
		}
		if body.InstallScript != nil {
			container.InstallScript, container.Install = *body.InstallScript, nil
		}
		if body.Install != nil {
			container.InstallScript, container.Install = "", body.Install
		}
		container.Requests.Install++
		return nil
	})
}

// RebindNetwork is POST /containers/:id/rebind-network.
func (h *Handlers) RebindNetwork(c *gin.Context) error {
	w, err := h.newWrite(c)
	if err != nil {
		return err
	}
	var body struct {
		Ports []desired.Port `json:"ports"`
		Image *string        `json:"image"`
	}
	if err := rest.Bind(c, &body); err != nil {
		return err
	}
	if body.Ports == nil {
		return rest.Invalid(rest.Detail{Field: "ports", Message: "is required"})
	}
	return h.change(w, "Network rebinding started", func(container *desired.Container) error {
		if h.installing(container) {
			return errRebindInstalling
		}
		container.Ports = body.Ports
		if body.Image != nil {
			container.Image = *body.Image
		}
		return nil
	})
}
