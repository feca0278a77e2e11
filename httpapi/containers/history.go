package containers

import (
	"cmp"
	"math"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/desired/token"
	"lightd/httpapi/api"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
)

var errNoGeneration = rest.NewError(http.StatusNotFound, "generation_not_found", "Generation not found")

// History is GET /containers/:id/history: the specs that are kept, or the one that was in force in a generation.
func (h *Handlers) History(c *gin.Context) error {
	who, query := auth.CallerOf(c.Request.Context()), c.Request.URL.Query()
	generation, err := rest.Number(query, rest.QueryGeneration, 0, 1, math.MaxInt64)
	if err != nil {
		return err
	}
	container, found := who.Find(h.store, c.Param("id"))
	if !found {
		return desired.ErrContainerNotFound
	}
	kept, err := h.history(container.InternalID)
	if err != nil {
		return err
	}
	// What it was while it was somebody else's is theirs.
	theirs := func(v store.Version) bool { return !who.AllowsLabels(container.InternalID, v.Spec.Labels) }
	if at := slices.IndexFunc(kept, theirs); at >= 0 {
		kept = kept[:at]
	}
	answer := api.History{InternalID: container.InternalID, Versions: versionsOf(kept)}
	if generation > 0 {
		at := slices.IndexFunc(kept, func(v store.Version) bool { return v.Generation <= int64(generation) })
		if at < 0 || int64(generation) > container.Generation {
			return errNoGeneration
		}
		spec := shownSpec(kept[at].Spec)
		if !who.May(token.ScopeWrite) {
			spec, answer.EnvHidden = api.WithoutEnv(spec)
		}
		answer.Versions = answer.Versions[at : at+1]
		answer.Versions[0].Spec = &spec
	}
	return rest.OK(c, answer)
}

// versionsOf are the versions of a spec, the newest first, each with what it changed of the one before.
func versionsOf(kept []store.Version) []api.SpecVersion {
	versions := make([]api.SpecVersion, len(kept))
	for i, v := range kept {
		versions[i] = api.SpecVersion{Generation: v.Generation, Time: v.At, Changed: []string{}}
		if i+1 < len(kept) {
			versions[i].Changed = desired.ChangedPaths(kept[i+1].Spec, v.Spec)
		}
	}
	return versions
}

// shownSpec is a stored spec in the words of an answer.
func shownSpec(s desired.Spec) desired.Spec {
	s = s.Normalize()
	s.Network = cmp.Or(s.Network, desired.NetworkDefault)
	return s
}
