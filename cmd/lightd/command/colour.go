package command

import (
	"fmt"
	"io"

	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
	"lightd/observed/status"
)

// Colour says where colour is used: on a terminal, everywhere or nowhere.
type Colour string

// The values of Colour.
const (
	ColourAuto   Colour = "auto"
	ColourAlways Colour = "always"
	ColourNever  Colour = "never"
)

// String implements pflag.Value.
func (c *Colour) String() string { return string(*c) }

// Set implements pflag.Value.
func (c *Colour) Set(text string) error {
	switch when := Colour(text); when {
	case ColourAuto, ColourAlways, ColourNever:
		*c = when
		return nil
	}
	return fmt.Errorf("must be auto, always or never")
}

// Type implements pflag.Value.
func (c *Colour) Type() string { return "when" }

// On reports whether colour is used on a stream. NO_COLOR, and a terminal that has none, count where
// nothing else was asked for.
func (c *Colour) On(stream io.Writer, getenv func(string) string) bool {
	if c != nil && *c != ColourAuto {
		return *c == ColourAlways
	}
	return terminal.Is(stream) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// colour reports whether colour may be used on a stream.
func (a *app) colour(stream io.Writer) bool { return a.Colour.On(stream, a.Getenv) }

// stateColour is the colour of a word for how a container is; nothing where it is as it was left.
func stateColour(word string) string {
	switch word {
	case string(status.StateRunning), string(status.Ready), string(status.True):
		return render.Green
	case string(status.StateStarting), string(status.StateStopping), string(status.Installing), string(status.StateUnknown), string(status.ReasonProgressing):
		return render.Yellow
	case string(status.StateBackOff), string(status.Failed), string(status.False):
		return render.Red
	}
	return ""
}
