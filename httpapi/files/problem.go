package files

import (
	"errors"
	"net/http"
	"strings"

	"lightd/desired"
	"lightd/httpapi/rest"
	"lightd/observed/archive"
	"lightd/observed/files"
)

// refusals are the errors of package observed/files as answers.
var refusals = map[files.Error]struct {
	status int
	code   string
}{
	files.ErrNotFound:     {http.StatusNotFound, "file_not_found"},
	files.ErrExists:       {http.StatusConflict, "file_exists"},
	files.ErrIsDirectory:  {http.StatusConflict, "is_directory"},
	files.ErrNotDirectory: {http.StatusConflict, "not_directory"},
	files.ErrNotFile:      {http.StatusConflict, "not_file"},
	files.ErrStale:        {http.StatusPreconditionFailed, "precondition_failed"},
	files.ErrBusy:         {http.StatusConflict, "file_busy"},
	files.ErrRefused:      {http.StatusConflict, "file_refused"},
	files.ErrTop:          {http.StatusConflict, "is_volume"},
	files.ErrTooDeep:      {http.StatusConflict, "too_deep"},
	files.ErrTooMany:      {http.StatusConflict, "too_many_entries"},
	files.ErrInside:       {http.StatusConflict, "inside_source"},
	archive.ErrFormat:     {http.StatusConflict, "not_archive"},
	archive.ErrDamaged:    {http.StatusConflict, "archive_damaged"},
	archive.ErrUnsafe:     {http.StatusConflict, "archive_unsafe"},
	archive.ErrTooLarge:   {http.StatusConflict, "archive_too_large"},
	archive.ErrSameName:   {http.StatusConflict, "same_name"},
}

// problem turns an error of files into an answer; others, and nil, it returns as they are.
func problem(err error) error {
	var path *files.PathError
	var full *files.NoRoomError
	var refusal files.Error
	switch {
	case errors.Is(err, desired.ErrVolumeNotFound):
		return rest.NewError(http.StatusNotFound, "volume_not_found", desired.ErrVolumeNotFound.Error())
	case errors.As(err, &path):
		return rest.Invalid(rest.Detail{Field: QueryPath, Message: path.Reason})
	case errors.As(err, &full) && full.Quota:
		return rest.NewError(http.StatusInsufficientStorage, "volume_full", full.Error())
	case errors.As(err, &full):
		return rest.NewError(http.StatusInsufficientStorage, "disk_full", full.Error())
	case errors.As(err, &refusal):
		p := rest.NewError(refusals[refusal].status, refusals[refusal].code, refusal.Error())
		// The sentence is not said twice.
		message := strings.ReplaceAll(err.Error(), refusal.Error()+": ", "")
		p.Details = []rest.Detail{{Message: strings.TrimSuffix(strings.TrimSuffix(message, refusal.Error()), ": ")}}
		return p
	}
	return err
}
