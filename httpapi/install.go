package httpapi

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"net/http"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/observed/status"
)

var (
	errReinstallInstalling = fail(http.StatusConflict, "installing", "Cannot reinstall while container is installing")
	errRebindInstalling    = fail(http.StatusConflict, "installing", "Cannot rebind network while container is installing")
	errNoInstallLog        = fail(http.StatusNotFound, "install_log_not_found", "Install log not found")
)

func (s *Server) installing(c *desired.Container) bool {
	st, _ := s.statuses.Get(c.InternalID)
	return installState(*c, st) == status.Installing
}

// reinstall is POST /containers/:id/reinstall.
func (s *Server) reinstall(c *gin.Context) error {
	in, err := s.writeOptionsOf(c)
	if err != nil {
		return err
	}
	object, err := s.optionalObject(c)
	if err != nil {
		return err
	}
	var body struct {
		Image         *string `json:"image"`
		InstallScript *string `json:"install_script"`
	}
	if err := object.Bind(&body); err != nil {
		return err
	}
	return s.change(c, in, "Container reinstall started", func(container *desired.Container) error {
		if s.installing(container) {
			return errReinstallInstalling
		}
		if body.Image != nil {
			container.Image = *body.Image
		}
		if body.InstallScript != nil {
			container.InstallScript = *body.InstallScript
		}
		container.Requests.Install++
		return nil
	})
}

// rebindNetwork is POST /containers/:id/rebind-network.
func (s *Server) rebindNetwork(c *gin.Context) error {
	in, err := s.writeOptionsOf(c)
	if err != nil {
		return err
	}
	object, err := s.bodyObject(c)
	if err != nil {
		return err
	}
	var body struct {
		Ports []desired.Port `json:"ports"`
	}
	if err := object.Bind(&body); err != nil {
		return err
	}
	if body.Ports == nil {
		return invalid(Detail{Field: "ports", Message: "is required"})
	}
	return s.change(c, in, "Network rebinding started", func(container *desired.Container) error {
		if s.installing(container) {
			return errRebindInstalling
		}
		container.Ports = body.Ports
		return nil
	})
}

// readInstallLog is GET /containers/:id/install-log.
func (s *Server) readInstallLog(c *gin.Context) error {
	container, found := s.specs.Container(c.Param("id"))
	if !found {
		return desired.ErrContainerNotFound
	}
	log, err := s.installLog(container.InternalID)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoInstallLog
	}
	if err != nil {
		return err
	}
	defer log.Close()
	h := c.Writer.Header()
	h.Set("Content-Type", mediaText+"; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept, Accept-Encoding")
	text := bufio.NewReaderSize(log, minPacked)
	begin, _ := text.Peek(minPacked)
	packed := len(begin) == minPacked && acceptsGzip(c.Request.Header)
	if packed {
		h.Set("Content-Encoding", "gzip")
	}
	c.Status(http.StatusOK)
	// Once the status is sent, a broken copy can only show as a cut answer.
	if packed {
		_ = packTo(c.Writer, text)
	} else {
		_, _ = io.Copy(c.Writer, text)
	}
	return nil
}
