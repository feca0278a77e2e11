package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	slashpath "path"
	"strings"

	"github.com/spf13/cobra"

	"lightd/httpapi/client"
)

// maxEdited is how large a file may be that is edited, in bytes.
const maxEdited = 16 << 20

func (a *app) filesEdit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "edit NAME:PATH",
		Short: "Change a file of a volume in an editor",
		Long: `Opens a file of a volume in an editor, $VISUAL or $EDITOR or else vi, and writes what was saved. A file that is not
there is made. Where the file was changed meanwhile, or it cannot be written, the edit stays in a file, which is named.`,
		Example: `  lightd files edit web:server.properties`,
	}
	return a.onFile(cmd, false, func(ctx context.Context, s *session, volume string, at remotePath) error {
		before, w, err := s.forEdit(ctx, volume, at)
		if err != nil {
			return err
		}
		file, err := saveEdit(at, before)
		if err != nil {
			return fmt.Errorf("edit: %w", err)
		}
		keep := false
		defer func() {
			if !keep {
				_ = os.Remove(file) // what is left of it is in the directory for what is left
			}
		}()
		failed := a.runEditor(ctx, file)
		after, err := os.ReadFile(file)
		switch {
		case err != nil:
			return errors.Join(failed, err)
		case bytes.Equal(after, before):
			if failed == nil {
				a.note("%s: nothing was changed.", at)
			}
			return failed
		}
		if err = failed; err == nil {
			w.Size = int64(len(after))
			_, err = s.WriteFile(ctx, volume, at.path, bytes.NewReader(after), w)
		}
		if err == nil {
			a.say("%s: written", at)
			return nil
		}
		keep = true
		if errors.Is(err, client.ErrPrecondition) {
			err = coded{errors.New("it was changed meanwhile"), ExitConflict}
		}
		return coded{fmt.Errorf("%s; the edit is in %s", sentence(err), file), ExitCode(err)}
	})
}

// forEdit reads a file that is to be edited, and returns how what becomes of it is to be written.
func (s *session) forEdit(ctx context.Context, volume string, at remotePath) (text []byte, w client.FileWrite, err error) {
	f, err := s.ReadFile(ctx, volume, at.path)
	if errors.Is(err, client.ErrNotFound) {
		return nil, client.FileWrite{IfNew: true}, nil
	}
	if err != nil {
		return nil, w, err
	}
	defer func() { _ = f.Close() }() // it was only read
	if f.Size > maxEdited {
		return nil, w, fmt.Errorf("it has %d bytes, which is too much for an editor", f.Size)
	}
	text, err = io.ReadAll(io.LimitReader(f, maxEdited))
	if err == nil && bytes.IndexByte(text, 0) >= 0 {
		err = errors.New("it is no text")
	}
	return text, client.FileWrite{IfMatch: f.ETag}, err
}

// saveEdit writes a file that only its user may read, with the ending of the one that is edited.
func saveEdit(at remotePath, text []byte) (string, error) {
	ending := slashpath.Ext(at.path)
	if strings.ContainsAny(ending, "*\x00/\\\n") || len(ending) > 20 {
		ending = ""
	}
	f, err := os.CreateTemp("", "lightd-edit-*"+ending)
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	return f.Name(), errors.Join(err, f.Close())
}
