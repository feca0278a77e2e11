package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
)

const (
	// sizeWait bounds the counting of a volume's files, of which there may be millions.
	sizeWait = 2 * time.Second
	// volumeRemoval bounds the removal of a volume's files.
	volumeRemoval = time.Minute
)

func volumeView(v store.Volume, users []string) api.Volume {
	return api.Volume{VolumeID: v.ID, Path: v.Path, CreatedAt: unix(v.CreatedAt), Containers: orEmpty(users)}
}

// createVolume is POST /volumes.
func (s *Server) createVolume(c *gin.Context) error {
	dryRun, err := s.dryVerb(c)
	switch {
	case err != nil:
		return err
	case dryRun:
		if err := s.volumes.TryCreate(); err != nil {
			return err
		}
		return noPlan(c)
	}
	ctx, cancel := s.databaseTime(c)
	defer cancel()
	v, err := s.volumes.Create(ctx)
	if err != nil {
		return err
	}
	c.Header("Location", "/volumes/"+v.ID)
	return created(c, map[string]string{"volume_id": v.ID, "path": v.Path})
}

// listVolumes is GET /volumes.
func (s *Server) listVolumes(c *gin.Context) error {
	p, err := pageOf(c.Request.URL.Query(), "volumes")
	if err != nil {
		return err
	}
	revision := s.revision()
	all, err := s.volumes.List()
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b store.Volume) int { return strings.Compare(a.ID, b.ID) })
	part, next := cut(p, all, func(v store.Volume) string { return v.ID })
	users := map[string][]string{}
	for _, container := range s.specs.Containers() {
		users[container.VolumeID] = append(users[container.VolumeID], container.InternalID)
	}
	list := make([]api.Volume, 0, len(part))
	for _, v := range part {
		list = append(list, volumeView(v, users[v.ID]))
	}
	return replyPage(c, p, list, revision, next)
}

// getVolume is GET /volumes/:id. The size is null when it takes too long to find out.
func (s *Server) getVolume(c *gin.Context) error {
	v, err := s.volumes.Get(c.Param("id"))
	if err != nil {
		return noSuchVolume(err)
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), sizeWait)
	defer cancel()
	view := api.SizedVolume{Volume: volumeView(v, s.volumes.Users(v.ID))}
	size, err := s.volumes.Size(ctx, v.ID)
	if err == nil {
		view.Size = &size
	} else if !errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("measure volume", "volume", v.ID, "error", err)
	}
	return ok(c, view)
}

// deleteVolume is DELETE /volumes/:id. A client that goes away does not cut it short.
func (s *Server) deleteVolume(c *gin.Context) error {
	id := c.Param("id")
	dryRun, err := s.dryVerb(c)
	switch {
	case err != nil:
		return err
	case dryRun:
		if err := s.volumes.TryDelete(id); err != nil {
			return noSuchVolume(err)
		}
		return noPlan(c, "volume "+id)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), volumeRemoval)
	defer cancel()
	if err := s.volumes.Delete(ctx, id); err != nil {
		return noSuchVolume(err)
	}
	return ok(c, map[string]string{"message": "Volume deleted successfully"})
}

// noSuchVolume turns the word for a volume that a spec names in vain into the one for a
// path that leads nowhere.
func noSuchVolume(err error) error {
	if isError(err, desired.ErrVolumeNotFound) {
		return fail(http.StatusNotFound, "volume_not_found", desired.ErrVolumeNotFound.Error())
	}
	return err
}
