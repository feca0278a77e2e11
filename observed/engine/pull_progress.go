package engine

import (
	"strings"

	"github.com/docker/docker/pkg/jsonmessage"
)

// Progress is how far a pull has come.
type Progress struct {
	// Status is Docker's word for the last thing that happened.
	Status string
	// Current and Total count the bytes to download, of all layers whose size is known so
	// far; what is here already is in neither.
	Current, Total int64
	// Changes counts what has happened besides the download: a layer in another state, or the
	// extraction of one that has come further.
	Changes int
	// Local is true while the registry is not what the pull waits for: the engine verifies or extracts
	// a layer, or all that are left wait for their turn among its downloads.
	Local bool
}

// layer is how far one layer of a pull is. Local is how far the engine is with its extraction.
type layer struct {
	status                string
	current, total, local int64
}

// layers is how far each layer of a pull has come, by its id.
type layers struct {
	sum  Progress
	each map[string]layer
}

// maxLayers bounds the ids of layers that are kept of one pull. An image has 127 at most.
const maxLayers = 1024

// after applies a progress message of one layer. Docker leaves messages out when they come
// fast, the last one of a download too: the status that follows a download means that it is done.
func (l *layers) after(m jsonmessage.JSONMessage) Progress {
	l.sum.Status = m.Status
	was, known := l.each[m.ID]
	if !known && len(l.each) >= maxLayers {
		return l.sum
	}
	now := was
	now.status = m.Status
	switch m.Status {
	case "Downloading":
		if m.Progress != nil {
			now.current, now.total = m.Progress.Current, max(m.Progress.Total, m.Progress.Current)
		}
	case "Verifying Checksum", "Download complete", "Extracting", "Pull complete":
		now.current = now.total
		if m.Progress != nil {
			now.local = m.Progress.Current
		}
	}
	if now == was {
		return l.sum
	}
	if l.each == nil {
		l.each = map[string]layer{}
	}
	l.each[m.ID] = now
	l.sum.Current += now.current - was.current
	l.sum.Total += now.total - was.total
	if now.status != was.status || now.local != was.local {
		l.sum.Changes++
		l.sum.Local = l.local()
	}
	return l.sum
}

// local returns Progress.Local. A layer that was "Waiting" stays so until its first bytes are here.
func (l *layers) local() bool {
	requested, waits := false, false
	for _, one := range l.each {
		switch {
		case one.status == "Verifying Checksum", one.status == "Extracting":
			return true
		case one.status == "Waiting":
			waits = true
		case one.status == "Pulling fs layer", one.status == "Downloading", strings.HasPrefix(one.status, "Retrying"):
			requested = true
		}
	}
	return waits && !requested
}
