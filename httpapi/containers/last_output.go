package containers

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"lightd/httpapi/api"
	"lightd/httpapi/auth"
	"lightd/httpapi/wait"
	"lightd/observed/console"
	"lightd/observed/screen"
	"lightd/observed/status"
)

// Bounds of the output that the message of a failed wait ends with: lines, bytes of one, the time
// that reading may take, and for how many containers of one request it is read.
const (
	outputLines      = 5
	outputLine       = 200
	outputTime       = time.Second
	outputContainers = 20
)

// lastOutput reads what a container printed last.
type lastOutput struct {
	console    Output
	installLog InstallLog
	log        *slog.Logger
}

// addTo ends the message of a wait for a running process that was not met with what the
// process, or the installation that failed before it, printed last.
func (o *lastOutput) addTo(ctx context.Context, receipt *api.Receipt, r wait.Result) {
	if receipt.Wait == nil || receipt.Wait.For != api.UntilRunning || receipt.Wait.Met || r.Status.Run == (status.RunID{}) && r.Status.Install.Phase != status.InstallFailed {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, outputTime)
	defer cancel()
	var lines []string
	if r.Status.Install.Phase == status.InstallFailed {
		lines = o.installLines(receipt.InternalID)
	} else {
		lines = o.lines(ctx, receipt.InternalID)
	}
	if len(lines) > 0 {
		receipt.Wait.Message += "; last output: " + strings.Join(lines, " | ")
	}
}

// lines returns the last lines that a container printed; none where they cannot be read.
func (o *lastOutput) lines(ctx context.Context, id string) []string {
	var text strings.Builder
	err := o.console.History(ctx, id, console.From{Lines: outputLines}, func(c console.Chunk) error {
		text.WriteString(c.Text)
		return nil
	})
	if err != nil {
		o.log.Debug("last output not read", append(auth.RequestOf(ctx).Attrs(), "container", id, "error", err)...)
	}
	return tail(strings.NewReader(text.String()))
}

// installLines returns the last lines that an installation printed.
func (o *lastOutput) installLines(id string) []string {
	log, err := o.installLog(id)
	if err != nil {
		return nil
	}
	defer func() { _ = log.Close() }() // it was only read
	return tail(log)
}

// tail returns the last lines of a text as a terminal shows them, without empty ones.
func tail(r io.Reader) []string {
	var last []string
	in := bufio.NewReaderSize(r, 4<<10)
	for {
		raw, cut, err := in.ReadLine()
		if err != nil {
			return last
		}
		var line screen.Line
		line.Feed(raw, func([]byte) bool { return false })
		if text := clipped(line.Show()); text != "" {
			if last = append(last, text); len(last) > outputLines {
				last = slices.Delete(last, 0, 1)
			}
		}
		for cut && err == nil {
			_, cut, err = in.ReadLine()
		}
	}
}

// clipped returns text within the bound of a line.
func clipped(text []byte) string {
	line := strings.TrimSpace(strings.ToValidUTF8(string(text), "\uFFFD"))
	if len(line) <= outputLine {
		return line
	}
	return strings.ToValidUTF8(line[:outputLine], "") + "..."
}
