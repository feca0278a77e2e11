package images

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"

	"lightd/desired/registry"
	"lightd/observed"
	"lightd/observed/engine"
)

// stalledError is a pull that was ended without progress.
type stalledError observed.PullFault

// Error implements error.
func (e stalledError) Error() string { return string(e) }

// faultOf returns why a pull failed.
func faultOf(err error) observed.PullFault {
	var stalled stalledError
	if errors.As(err, &stalled) {
		return observed.PullFault(stalled)
	}
	return engine.PullFaultOf(err)
}

// failureOf returns why a pull failed, as conditions and events hold it: nothing that a registry has
// answered is in it.
func failureOf(ref string, err error) string {
	var refused *registry.AddressError
	if errors.As(err, &refused) {
		return observed.PullFault(refused.Error()).Of(ref)
	}
	return faultOf(err).Of(ref)
}

// isForbidden reports whether a pull failed because images may not come from its registry.
func isForbidden(err error) bool {
	var refused *registry.AddressError
	return errors.As(err, &refused)
}

// maxAnswer bounds what is logged of the engine's answer.
const maxAnswer = 4 << 10

// logFailure logs what the engine answered, which is nowhere else: once as a warning, and the same
// failure again at the level debug.
func (i *Images) logFailure(ref string, before observed.Image, failure string, err error) {
	level, text := slog.LevelWarn, err.Error()
	if before.PullError == failure {
		level = slog.LevelDebug
	}
	if len(text) > maxAnswer {
		text = strings.ToValidUTF8(text[:maxAnswer], "") + "..."
	}
	i.config.Log.Log(context.Background(), level, "image not pulled", "image", ref, "failure", failure, "error", strconv.QuoteToASCII(text))
}
