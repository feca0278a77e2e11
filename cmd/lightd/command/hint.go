package command

import (
	"strings"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/view"
	"lightd/observed/status"
)

// hintsFor are what can be done about a container, once for each reason, in the order of its
// conditions. What is as it should be has none, and what the summary says is not said again.
func hintsFor(c api.Container) []string {
	var found []string
	seen := map[status.Reason]bool{}
	for _, condition := range c.Conditions {
		if seen[condition.Reason] {
			continue
		}
		seen[condition.Reason] = true
		text := view.Filled(condition.Advice().Can, c)
		if condition.Reason == status.ReasonExited && c.Spec().EffectivePower() != desired.PowerRunning {
			continue // it was to end
		}
		if text != "" && !strings.Contains(c.Summary, text) {
			found = append(found, string(condition.Reason)+": "+text)
		}
	}
	return found
}
