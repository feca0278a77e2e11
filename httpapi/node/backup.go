package node

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
)

// MediaBackup is the type of a backup.
const MediaBackup = "application/zstd"

// takeWithin is how long a client may take for a part of a backup, which may take as long as it wants as a whole.
const takeWithin = time.Minute

// Backup answers the route of backups, one at a time.
type Backup struct {
	// Write writes one, with the volumes or without.
	Write func(ctx context.Context, to io.Writer, volumes bool) error
	Log   *slog.Logger

	one sync.Mutex
}

var errBackupUnderWay = rest.NewError(http.StatusConflict, "backup_under_way", "Another backup is being made")

// Make is POST /backup. What fails once the answer has begun cuts it short, by a panic with
// http.ErrAbortHandler.
func (h *Backup) Make(c *gin.Context) error {
	if err := rest.NoBody(c); err != nil {
		return err
	}
	volumes, err := rest.Flag(c.Request.URL.Query(), rest.QueryVolumes)
	if err != nil {
		return err
	}
	if !h.one.TryLock() {
		return errBackupUnderWay
	}
	defer h.one.Unlock()
	c.Header("Content-Type", MediaBackup)
	c.Header("Cache-Control", "no-store")
	// A backup that is under way when the daemon stops has the time that every request has then.
	to := rest.NewPacedWriter(c, takeWithin, context.Background())
	_ = http.NewResponseController(to).Flush() // the client waits for the beginning of the answer
	if err := h.Write(c.Request.Context(), to, volumes); err != nil {
		h.Log.Warn("backup failed", append(auth.RequestOf(c.Request.Context()).Attrs(), "error", err)...)
		panic(http.ErrAbortHandler)
	}
	return nil
}
