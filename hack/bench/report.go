package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"lightd/hack/table"
)

// report is what a run has measured: a table for people, and every sample for programs.
type report struct {
	Machine   machine   `json:"machine"`
	Noise     noise     `json:"noise"`
	Began     time.Time `json:"began"`
	Quick     bool      `json:"quick"`
	Rows      []row     `json:"figures"`
	BendFirst string    `json:"bends_first,omitempty"`

	table    table.Table
	scenario string // that is measured now
}

// row is one figure.
type row struct {
	Scenario string   `json:"scenario"`
	What     string   `json:"what"`
	Figure   string   `json:"figure"`
	Target   string   `json:"target,omitempty"`
	Verdict  string   `json:"verdict,omitempty"`
	Series   []series `json:"series,omitempty"`
}

// series are the samples behind a figure: its own, or those of what it is beside.
type series struct {
	Of   string `json:"of"`
	Unit string `json:"unit"`
	// Containers is how many there were, for what grows with them.
	Containers int       `json:"containers,omitempty"`
	Samples    []float64 `json:"samples"`
}

// times are samples in seconds.
func times(of string, all []time.Duration) series {
	return series{Of: of, Unit: "s", Samples: seconds(all...)}
}

// bytesOf are samples of memory or of what is stored.
func bytesOf(of string, all ...int64) series {
	s := series{Of: of, Unit: "B"}
	for _, n := range all {
		s.Samples = append(s.Samples, float64(n))
	}
	return s
}

func seconds(all ...time.Duration) []float64 {
	samples := make([]float64, len(all))
	for i, d := range all {
		samples[i] = d.Seconds()
	}
	return samples
}

// Note adds a figure without a target.
func (r *report) Note(what, figure string, behind ...series) { r.add(what, figure, "", "", behind) }

// Add adds a figure with its target, and whether that is met.
func (r *report) Add(what, figure, target string, ok bool, behind ...series) {
	verdict := missed
	if ok {
		verdict = met
	}
	r.add(what, figure, target, verdict, behind)
}

// compare adds a figure beside its floor.
func (r *report) compare(c *comparison) {
	e := ratioOf(c.ours, c.floor)
	behind := []series{{Of: "lightd", Unit: c.unit, Samples: c.ours}, {Of: c.beside, Unit: c.unit, Samples: c.floor}}
	r.Note(c.what, inUnit(medianOf(c.ours), c.unit))
	r.Note("  "+c.beside, inUnit(medianOf(c.floor), c.unit))
	interval := fmt.Sprintf("%.2f to %.2f in %s", e.low, e.high, counted(len(c.ours), "pair"))
	if len(c.ours) < 6 {
		interval = counted(len(c.ours), "pair") + ", too few for an interval"
	}
	r.add("  ratio, "+c.beside+" is 1", fmt.Sprintf("%.2f (%s)", e.median, interval), c.target.String(), c.target.verdict(e), behind)
}

func (r *report) add(what, figure, target, verdict string, behind []series) {
	r.table.Judge(what, figure, target, verdict)
	r.Rows = append(r.Rows, row{r.scenario, what, figure, target, verdict, behind})
}

// name is that of a file of this run, as in 20261130T210500-0123abc-growth.svg.
func (r *report) name(suffix string) string {
	commit := r.Machine.Commit
	if r.Machine.Dirty {
		commit += "-dirty"
	}
	return r.Began.UTC().Format("20060102T150405") + "-" + commit + suffix
}

// write keeps all of it as JSON in a directory, and returns the file's name.
func (r *report) write(dir string) (string, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encode the figures: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make a directory for the figures: %w", err)
	}
	path := filepath.Join(dir, r.name(".json"))
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return "", fmt.Errorf("write the figures: %w", err)
	}
	return path, nil
}
