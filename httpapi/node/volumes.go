package node

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/httpapi/rest"
	"lightd/httpapi/view"
)

const (
	// sizeWait bounds the counting of a volume's files, of which there may be millions.
	sizeWait = 2 * time.Second
	// volumeRemoval bounds the removal of a volume's files.
	volumeRemoval = time.Minute
)

// Store are the directories that outlive containers.
type Store interface {
	VolumeReader
	VolumeWriter
}

// VolumeReader reads volumes.
type VolumeReader interface {
	Get(id string) (store.Volume, error)
	List() ([]store.Volume, error)
	Users(id string) []string
	Size(ctx context.Context, id string) (int64, error)
}

// VolumeWriter makes and removes volumes. TryCreate and TryDelete return what keeps a volume from
// that.
type VolumeWriter interface {
	Create(ctx context.Context) (store.Volume, error)
	Delete(ctx context.Context, id string) error
	TryCreate() error
	TryDelete(id string) error
}

// Containers reads the specs of all containers from memory.
type Containers interface {
	Container(id string) (desired.Container, bool)
	Containers() []desired.Container
}

// Volumes answers the routes of volumes.
type Volumes struct {
	Store        Store
	Containers   Containers
	Transactions rest.Transactions
	// Revision is that of the store now.
	Revision func() uint64
	Log      *slog.Logger
}

func volumeView(v store.Volume, users []string) api.Volume {
	return api.Volume{VolumeID: v.ID, Path: v.Path, CreatedAt: view.Unix(v.CreatedAt), Containers: rest.OrEmpty(users)}
}

// Create is POST /volumes.
func (h *Volumes) Create(c *gin.Context) error {
	dryRun, err := rest.BareWrite(c)
	switch {
	case err != nil:
		return err
	case dryRun:
		if err := h.Store.TryCreate(); err != nil {
			return err
		}
		return noPlan(c)
	}
	ctx, cancel := h.Transactions.Context(c)
	defer cancel()
	v, err := h.Store.Create(ctx)
	if err != nil {
		return err
	}
	c.Header("Location", "/volumes/"+v.ID)
	return rest.Created(c, map[string]string{"volume_id": v.ID, "path": v.Path})
}

// List is GET /volumes.
func (h *Volumes) List(c *gin.Context) error {
	p, err := rest.PageOf(c.Request.URL.Query(), "volumes")
	if err != nil {
		return err
	}
	revision := h.Revision()
	all, err := h.Store.List()
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b store.Volume) int { return strings.Compare(a.ID, b.ID) })
	part, next := rest.Cut(p, all, func(v store.Volume) string { return v.ID })
	users := map[string][]string{}
	for _, container := range h.Containers.Containers() {
		users[container.VolumeID] = append(users[container.VolumeID], container.InternalID)
	}
	list := make([]api.Volume, 0, len(part))
	for _, v := range part {
		list = append(list, volumeView(v, users[v.ID]))
	}
	return rest.ReplyPage(c, p, list, revision, next)
}

// Get is GET /volumes/:id. The size is null when it takes too long to find out.
func (h *Volumes) Get(c *gin.Context) error {
	v, err := h.Store.Get(c.Param("id"))
	if err != nil {
		return noSuchVolume(err)
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), sizeWait)
	defer cancel()
	sized := api.SizedVolume{Volume: volumeView(v, h.Store.Users(v.ID))}
	size, err := h.Store.Size(ctx, v.ID)
	if err == nil {
		sized.Size = &size
	} else if !errors.Is(err, context.DeadlineExceeded) {
		h.Log.Warn("measure volume", "volume", v.ID, "error", err)
	}
	return rest.OK(c, sized)
}

// Delete is DELETE /volumes/:id. A client that goes away does not cut it short.
func (h *Volumes) Delete(c *gin.Context) error {
	id := c.Param("id")
	dryRun, err := rest.BareWrite(c)
	switch {
	case err != nil:
		return err
	case dryRun:
		if err := h.Store.TryDelete(id); err != nil {
			return noSuchVolume(err)
		}
		return noPlan(c, "volume "+id)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), volumeRemoval)
	defer cancel()
	if err := h.Store.Delete(ctx, id); err != nil {
		return noSuchVolume(err)
	}
	return rest.OK(c, map[string]string{"message": "Volume deleted successfully"})
}

// noSuchVolume turns the word for a volume that a spec names in vain into the one for a
// path that leads nowhere.
func noSuchVolume(err error) error {
	if rest.IsError(err, desired.ErrVolumeNotFound) {
		return rest.NewError(http.StatusNotFound, "volume_not_found", desired.ErrVolumeNotFound.Error())
	}
	return err
}
