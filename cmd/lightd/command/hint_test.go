package command

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/observed/status"
)

// reasons are those that the source of package status declares.
func reasons(t *testing.T) (all []status.Reason) {
	t.Helper()
	files, err := filepath.Glob("../../../observed/status/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(source, func(n ast.Node) bool {
			value, is := n.(*ast.ValueSpec)
			if !is {
				return true
			}
			if kind, is := value.Type.(*ast.Ident); !is || kind.Name != "Reason" {
				return true
			}
			for _, v := range value.Values {
				text, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, status.Reason(text))
			}
			return true
		})
	}
	return all
}

// TestEveryReasonHasAHint, or is listed as one that needs none.
func TestEveryReasonHasAHint(t *testing.T) {
	all := reasons(t)
	if len(all) < 25 {
		t.Fatalf("only %d reasons are found: %q", len(all), all)
	}
	for _, reason := range all {
		text, has := hints[reason]
		if !has {
			t.Errorf("%s has neither a hint nor is said to need none", reason)
		}
		if len(text) > 200 || strings.ContainsAny(text, "\n\t") || strings.HasSuffix(text, ".") {
			t.Errorf("%s: %q", reason, text)
		}
	}
}

// TestHints: one for each reason, with the id in it, and none of what is as it should be.
func TestHints(t *testing.T) {
	condition := func(kind status.ConditionType, truth status.ConditionStatus, reason status.Reason) status.Condition {
		return status.Condition{Type: kind, Status: truth, Reason: reason}
	}
	for name, c := range map[string]struct {
		conditions []status.Condition
		power      desired.Power
		want       string
	}{
		"all is well": {[]status.Condition{condition(status.Synced, status.True, status.ReasonSynced)}, "running", ""},
		"a backoff": {[]status.Condition{
			condition(status.ProcessRunning, status.False, status.ReasonBackOff), condition(status.ProcessStarted, status.False, status.ReasonBackOff),
			condition(status.Synced, status.False, status.ReasonBackOff),
		}, "running", `BackOff: read why it ends with "lightd logs web"; "lightd start web" tries it at once`},
		"an end that was asked for": {[]status.Condition{condition(status.ProcessStarted, status.False, status.ReasonExited)}, "stopped", ""},
		"two reasons": {[]status.Condition{
			condition(status.Installed, status.False, status.ReasonInstallInterrupted), condition(status.Synced, status.False, status.ReasonPaused),
		}, "running", `InstallInterrupted: the engine or the machine went down during it, and a script never runs twice by itself: "lightd reinstall web"` + "\n" +
			`Paused: nothing is touched until the spec says "paused: false"`},
		"a failed installation": {[]status.Condition{
			condition(status.Installed, status.False, status.ReasonInstallInterrupted), condition(status.Synced, status.False, status.ReasonInstallFailed),
		}, "running", `InstallInterrupted: the engine or the machine went down during it, and a script never runs twice by itself: "lightd reinstall web"`},
		"an image": {[]status.Condition{condition(status.Synced, status.False, status.ReasonImageUnavailable)}, "running",
			`ImageUnavailable: check the name of the image and whether the machine reaches its registry: "docker pull game:1"; or load it with "docker load"`},
	} {
		t.Run(name, func(t *testing.T) {
			container := api.Container{InternalID: "web", Image: "game:1", Conditions: c.conditions, Power: c.power}
			if got := strings.Join(hintsFor(container), "\n"); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
