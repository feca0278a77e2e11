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
	"github.com/go-json-experiment/json/jsontext"

	"lightd/desired"
	"lightd/desired/kv"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/httpapi/auth"
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
	Measure(ctx context.Context, id string) (store.VolumeSize, error)
}

// VolumeWriter makes and removes volumes. TryCreate, TryEnsure and TryDelete return what keeps a volume from
// that.
type VolumeWriter interface {
	Create(ctx context.Context, by store.Creator) (store.Volume, error)
	Ensure(ctx context.Context, want store.VolumeRequest, by store.Creator, keep bool) (v store.Volume, created bool, err error)
	Delete(ctx context.Context, id string) error
	TryCreate(by store.Creator) error
	TryEnsure(want store.VolumeRequest, by store.Creator, keep bool) error
	TryDelete(id string) error
}

// Containers reads the specs of all containers from memory.
type Containers = auth.Containers

// Volumes answers the routes of volumes.
type Volumes struct {
	Store        Store
	Containers   Containers
	Transactions rest.Transactions
	// Revision is that of the store now.
	Revision func() uint64
	Log      *slog.Logger
}

func volumeView(who *auth.Caller, v store.Volume, users []string) api.Volume {
	shown := api.Volume{
		ID: v.ID, VolumeID: v.ID, Path: shownPath(who, v), CreatedAt: view.Unix(v.CreatedAt), SizeBytes: v.Size, UsedBytes: v.Used,
		Containers: rest.OrEmpty(users),
	}
	if v.Quota > 0 {
		shown.QuotaBytes = &v.Quota
	}
	return shown
}

// shownPath is where a volume is on the host, which is not shown to a token for some containers: its tenant
// has no use of the host's directories.
func shownPath(who *auth.Caller, v store.Volume) string {
	if who.Bound() {
		return ""
	}
	return v.Path
}

// Create is POST /volumes: a volume with a new id, or with one that the client has chosen.
func (h *Volumes) Create(c *gin.Context) error {
	var body struct {
		VolumeID   *string `json:"volume_id"`
		QuotaBytes *int64  `json:"quota_bytes"`
	}
	if err := rest.BindOptional(c, &body); err != nil {
		return err
	}
	if body.VolumeID != nil || body.QuotaBytes != nil {
		id := kv.NewUUID()
		if body.VolumeID != nil {
			id = *body.VolumeID
		}
		return h.ensure(c, store.VolumeRequest{ID: id, Quota: body.QuotaBytes}, false)
	}
	dryRun, err := rest.DryRun(c)
	switch {
	case err != nil:
		return err
	case dryRun:
		if err := h.Store.TryCreate(auth.CallerOf(c.Request.Context()).Creator()); err != nil {
			return err
		}
		return noPlan(c)
	}
	ctx, cancel := h.Transactions.Context(c)
	defer cancel()
	who := auth.CallerOf(ctx)
	v, err := h.Store.Create(ctx, who.Creator())
	if err != nil {
		return err
	}
	return h.created(c, who, v)
}

func (h *Volumes) created(c *gin.Context, who *auth.Caller, v store.Volume) error {
	auth.RequestOf(c.Request.Context()).Audit.Volume = v.ID
	c.Header("Location", "/volumes/"+v.ID)
	return rest.Created(c, volumeView(who, v, nil))
}

// volumeBody is a volume as a client writes it. What a GET shows besides is passed over.
type volumeBody struct {
	VolumeID   *string        `json:"volume_id"`
	ID         *string        `json:"id"`
	QuotaBytes *int64         `json:"quota_bytes"`
	Path       jsontext.Value `json:"path"`
	CreatedAt  jsontext.Value `json:"created_at"`
	Containers jsontext.Value `json:"containers"`
	Size       jsontext.Value `json:"size"`
	UsedBytes  jsontext.Value `json:"used_bytes"`
	SizeBytes  jsontext.Value `json:"size_bytes"`
}

// Put is PUT /volumes/:id: the volume is there after it, with the quota that the body has. A quota of null is none; a
// body without one leaves it as it is.
func (h *Volumes) Put(c *gin.Context) error {
	object, err := rest.OptionalObject(c)
	if err != nil {
		return err
	}
	var body volumeBody
	if err := object.Bind(&body); err != nil {
		return err
	}
	id := c.Param("id")
	for name, other := range map[string]*string{"volume_id": body.VolumeID, "id": body.ID} {
		if other != nil && *other != id {
			return rest.Invalid(rest.Detail{Field: name, Message: "must be the one in the path"})
		}
	}
	if object.IsNull("quota_bytes") {
		body.QuotaBytes = new(int64)
	}
	return h.ensure(c, store.VolumeRequest{ID: id, Quota: body.QuotaBytes}, true)
}

// ensure makes a volume with a chosen id. One that is there is kept where keep is true.
func (h *Volumes) ensure(c *gin.Context, want store.VolumeRequest, keep bool) error {
	if !desired.ValidVolumeID(want.ID) {
		return rest.Invalid(rest.Detail{Field: "volume_id", Message: "must be a UUID in lower case, as in d6764075-c5f1-4045-9fb3-85315b85cb0f"})
	}
	if want.Quota != nil {
		if err := desired.ValidateVolumeQuota("quota_bytes", *want.Quota); err != nil {
			return err
		}
	}
	dryRun, err := rest.DryRun(c)
	if err != nil {
		return err
	}
	ctx, cancel := h.Transactions.Context(c)
	defer cancel()
	who := auth.CallerOf(ctx)
	if dryRun {
		if err := h.Store.TryEnsure(want, who.Creator(), keep); err != nil {
			return err
		}
		return noPlan(c)
	}
	v, created, err := h.Store.Ensure(ctx, want, who.Creator(), keep)
	switch {
	case err != nil:
		return err
	case created:
		return h.created(c, who, v)
	}
	return rest.OK(c, volumeView(who, v, h.users(who, want.ID)))
}

// List is GET /volumes.
func (h *Volumes) List(c *gin.Context) error {
	p, err := rest.PageOf(c.Request.URL.Query(), "volumes")
	if err != nil {
		return err
	}
	revision, who := h.Revision(), auth.CallerOf(c.Request.Context())
	all, err := h.Store.List()
	if err != nil {
		return err
	}
	users := map[string][]string{}
	for _, container := range who.List(h.Containers) {
		users[container.VolumeID] = append(users[container.VolumeID], container.InternalID)
	}
	all = slices.DeleteFunc(all, func(v store.Volume) bool { return !who.SeesVolume(v, users[v.ID]) })
	slices.SortFunc(all, func(a, b store.Volume) int { return strings.Compare(a.ID, b.ID) })
	part, next := rest.Cut(p, all, func(v store.Volume) string { return v.ID })
	list := make([]api.Volume, 0, len(part))
	for _, v := range part {
		list = append(list, volumeView(who, v, users[v.ID]))
	}
	return rest.ReplyPage(c, p, list, revision, next)
}

// Get is GET /volumes/:id. The size is null when it takes too long to find out.
func (h *Volumes) Get(c *gin.Context) error {
	v, users, err := h.find(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), sizeWait)
	defer cancel()
	sized := api.SizedVolume{Volume: volumeView(auth.CallerOf(ctx), v, users)}
	size, err := h.Store.Measure(ctx, v.ID)
	if err == nil {
		sized.Size, sized.SizeBytes, sized.UsedBytes = &size.Bytes, &size.Bytes, &size.Used
	} else if !errors.Is(err, context.DeadlineExceeded) {
		h.Log.Warn("measure volume", append(auth.RequestOf(c.Request.Context()).Attrs(), "volume", v.ID, "error", err)...)
	}
	return rest.OK(c, sized)
}

// find returns the volume that a request names, if it exists for the caller, and those of the caller's
// containers that name it.
func (h *Volumes) find(c *gin.Context) (store.Volume, []string, error) {
	v, err := h.Store.Get(c.Param("id"))
	if err != nil {
		return store.Volume{}, nil, noSuchVolume(err)
	}
	who := auth.CallerOf(c.Request.Context())
	users := h.users(who, v.ID)
	if !who.SeesVolume(v, users) {
		return store.Volume{}, nil, noSuchVolume(desired.ErrVolumeNotFound)
	}
	return v, users, nil
}

// users returns those of the caller's containers that name a volume.
func (h *Volumes) users(who *auth.Caller, volume string) []string {
	return who.OfVolume(h.Containers, h.Store.Users(volume))
}

// canDelete refuses a volume that the caller's token may not delete. What its containers name is in use,
// and stays so even where another write is taking it from them: it is not the token's then.
func (h *Volumes) canDelete(c *gin.Context) error {
	who := auth.CallerOf(c.Request.Context())
	if !who.Bound() {
		return nil
	}
	v, _, err := h.find(c)
	switch {
	case err != nil:
		return err
	case v.Creator != who.ID:
		return desired.ErrVolumeInUse
	}
	return nil
}

// Delete is DELETE /volumes/:id. A client that goes away does not cut it short.
func (h *Volumes) Delete(c *gin.Context) error {
	id := c.Param("id")
	dryRun, err := rest.BareWrite(c)
	if err != nil {
		return err
	}
	if err := h.canDelete(c); err != nil {
		return err
	}
	if dryRun {
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
